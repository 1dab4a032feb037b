/** The open space: who is in it, invitations to it, and what its owner may do with it. */

import { useState } from "preact/hooks";

import { begin, person } from "../../engine/session.ts";
import { bytesOf } from "../../engine/space.ts";
import { engine, space } from "../../state.ts";
import { sayError } from "../../ui/messages.tsx";
import { Invitation, MadeLink } from "./invitations.tsx";
import { change, size, useLoaded, Waiting } from "./loaded.tsx";

interface Member {
  readonly user: string;
  readonly name: string | null;
  readonly role: string;
  readonly joined_at: number;
}

interface Invitation {
  readonly invitation: string;
  readonly role: string;
  readonly expires_at: number;
}

const ROLES: Readonly<Record<string, string>> = { owner: "Owner", editor: "Editor", reader: "Reader" };
const refresh = (): void => void begin().catch(sayError);

export function SpacePage() {
  const { value: its } = space;
  const path = its ? `/spaces/${its.space}` : "";
  const members = useLoaded<{ members: readonly Member[] }>(path && `${path}/members`);
  const isOwner = its?.role === "owner";
  if (!its) return null;
  const leave = async (): Promise<void> => {
    await change("DELETE", `${path}/members/${person.value!.user}`, undefined, "You are no member of that space any more.", refresh);
  };
  return (
    <section class="page text" aria-label="Space and members">
      <div class="page-head">
        <h1 dir="auto">{its.name}</h1>
        {its.archived_at !== null && <span class="badge plain">archived</span>}
      </div>
      <Usage />
      <h2 class="section-head">Members</h2>
      <Waiting of={members}>
        <ul class="cards">
          {members.value?.members.map((one) => (
            <li class="panel line" key={one.user}>
              <strong dir="auto">{one.name ?? one.user}</strong>
              {one.user === person.value?.user && <span class="hint">you</span>}
              <span class="spring" />
              {isOwner && one.role !== "owner" ? (
                <>
                  <select
                    aria-label={`Role of ${one.name ?? one.user}`}
                    value={one.role}
                    onChange={(event) => void change("PATCH", `${path}/members/${one.user}`, { role: event.currentTarget.value }, "Saved.", members.again)}
                  >
                    <option value="editor">Editor</option>
                    <option value="reader">Reader</option>
                  </select>
                  <button
                    class="danger small"
                    aria-label={`Remove ${one.name ?? one.user}`}
                    onClick={() => void change("DELETE", `${path}/members/${one.user}`, undefined, "The member is removed.", members.again)}
                  >
                    Remove
                  </button>
                </>
              ) : (
                <span class="hint">{ROLES[one.role] ?? one.role}</span>
              )}
            </li>
          ))}
        </ul>
      </Waiting>
      {isOwner ? (
        <>
          <Invitations path={path} />
          <Rename path={path} name={its.name} archived={its.archived_at !== null} />
          <p class="hint">
            To hand the space over or to delete it: <a href={`/account/spaces/${its.space}`}>the page of the space</a>.
          </p>
        </>
      ) : (
        <button class="danger small" onClick={() => void leave()}>
          Leave this space
        </button>
      )}
      <NewSpace />
    </section>
  );
}

function Usage() {
  const docs = [...engine.value!.docs.value.values()];
  const bytes = docs.reduce((total, doc) => total + bytesOf(doc), 0);
  return (
    <p class="lead">
      {docs.length === 1 ? "1 document" : `${docs.length} documents`}, {size(bytes)}, all of them also in this browser.
    </p>
  );
}

function Invitations({ path }: { readonly path: string }) {
  const invitations = useLoaded<{ invitations: readonly Invitation[] }>(`${path}/invitations`);
  const [link, setLink] = useState("");
  const invite = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const role = new FormData(event.currentTarget as HTMLFormElement).get("role");
    const made = await change<{ url: string }>("POST", `${path}/invitations`, { role }, "", invitations.again);
    if (made) setLink(made.url);
  };
  return (
    <>
      <h2 class="section-head">Invitations</h2>
      <form class="inline-form" onSubmit={(event) => void invite(event)}>
        <select name="role" aria-label="Role of who is invited">
          <option value="editor">Editor: reads and writes</option>
          <option value="reader">Reader: reads</option>
        </select>
        <button class="primary">Make a link</button>
      </form>
      <MadeLink link={link} />
      <Waiting of={invitations}>
        <ul class="cards">
          {invitations.value?.invitations.map((one) => (
            <Invitation key={one.invitation} expires={one.expires_at} path={`${path}/invitations/${one.invitation}`} said="The invitation is withdrawn." again={invitations.again}>
              <span>{ROLES[one.role] ?? one.role}</span>
            </Invitation>
          ))}
        </ul>
      </Waiting>
    </>
  );
}

function Rename({ path, name, archived }: { readonly path: string; readonly name: string; readonly archived: boolean }) {
  const rename = (event: SubmitEvent): void => {
    event.preventDefault();
    const to = new FormData(event.currentTarget as HTMLFormElement).get("name");
    void change("PATCH", path, { name: to }, "Saved.", refresh);
  };
  return (
    <>
      <h2 class="section-head">Name</h2>
      <form class="inline-form" onSubmit={rename}>
        <input name="name" aria-label="Name of the space" defaultValue={name} required maxLength={100} dir="auto" />
        <button class="quiet">Rename</button>
        <button type="button" class="quiet" onClick={() => void change("PATCH", path, { archived: !archived }, archived ? "It can be written again." : "It is archived: it can be read, not written.", refresh)}>
          {archived ? "Take out of the archive" : "Archive"}
        </button>
      </form>
    </>
  );
}

function NewSpace() {
  const add = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const made = await change<{ space: string }>("POST", "/spaces", { name: new FormData(form).get("name") }, "The space is there.", () => form.reset());
    if (!made) return;
    await begin().catch(sayError);
    location.hash = `#/${made.space}/list`;
  };
  return (
    <>
      <h2 class="section-head">Another space</h2>
      <form class="inline-form" onSubmit={(event) => void add(event)}>
        <input name="name" aria-label="Name of the new space" placeholder="Family" required maxLength={100} dir="auto" />
        <button class="quiet">Make it</button>
      </form>
    </>
  );
}
