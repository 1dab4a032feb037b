/** For administrators: people, spaces, invitations to the server, and what was done. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { Dialog } from "../../ui/dialog.tsx";
import { Invitation, MadeLink } from "./invitations.tsx";
import { LimitsButton, type Limits } from "./limits.tsx";
import { change, day, size, useLoaded, Waiting } from "./loaded.tsx";

interface Used {
  readonly documents: number | null;
  readonly bytes: number | null;
  readonly history_bytes: number | null;
  readonly spaces?: number;
  readonly devices?: number;
}

interface UserRow {
  readonly user: string;
  readonly name: string;
  readonly state: string;
  readonly administrator: boolean;
  readonly overrides: Limits;
  readonly used: Used;
}

interface SpaceRow {
  readonly space: string;
  readonly name: string;
  readonly state: string;
  readonly overrides: Limits;
  readonly used: Used;
}

interface Entry {
  readonly act: string;
  readonly at: number;
  readonly by: string;
  readonly address: string | null;
  readonly space: string | null;
  readonly user: string | null;
}

const TABS = ["People", "Spaces", "Invitations", "Log"] as const;

export function AdminPage() {
  const [tab, setTab] = useState<(typeof TABS)[number]>("People");
  return (
    <section class="page text" aria-label="Administration">
      <div class="page-head">
        <h1>Administration</h1>
      </div>
      <div class="tabs" role="group" aria-label="What is shown">
        {TABS.map((name) => (
          <button key={name} aria-pressed={tab === name} onClick={() => setTab(name)}>
            {name}
          </button>
        ))}
      </div>
      {tab === "People" ? <Users /> : tab === "Spaces" ? <Spaces /> : tab === "Invitations" ? <Invitations /> : <Log />}
    </section>
  );
}

/** The page of a list: what is searched for, and where the page begins. */
function usePage(path: string) {
  const [after, setAfter] = useState("");
  const [search, setSearch] = useState("");
  const query = new URLSearchParams({ ...(search && { search }), ...(after && { after }) }).toString();
  const find = (text: string): void => {
    setSearch(text);
    setAfter("");
  };
  return { address: query ? `${path}?${query}` : path, after, go: setAfter, search, find };
}

function Search({ label, find }: { readonly label: string; readonly find: (text: string) => void }) {
  const asked = (event: SubmitEvent): void => {
    event.preventDefault();
    find(String(new FormData(event.currentTarget as HTMLFormElement).get("search") ?? "").trim());
  };
  return (
    <form class="inline-form" role="search" onSubmit={asked}>
      <input name="search" type="search" aria-label={label} placeholder={label} maxLength={200} dir="auto" />
      <button class="quiet">Search</button>
    </form>
  );
}

/** A new password, which is shown this once. */
function MadePassword({ made }: { readonly made: { readonly name: string; readonly password: string } | undefined }) {
  if (!made) return null;
  return (
    <div class="notice" role="status">
      <p>
        The new password of <bdi>{made.name}</bdi>, shown this once. All browsers of this person are signed out.
      </p>
      <input readOnly value={made.password} aria-label="The new password" onFocus={(event) => event.currentTarget.select()} />
    </div>
  );
}

/** Rows below their headings, wider than the screen where need be. `actions`: the last cell of each is of buttons. */
function Table({ columns, actions, children }: { readonly columns: readonly string[]; readonly actions?: boolean; readonly children: ComponentChildren }) {
  return (
    <div class="wide-table">
      <table>
        <thead>
          <tr>
            {columns.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
            {actions && (
              <th scope="col">
                <span class="sr-only">What can be done</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

function Users() {
  const page = usePage("/admin/users");
  const users = useLoaded<{ users: readonly UserRow[]; after: string | null }>(page.address);
  const [made, setMade] = useState<{ name: string; password: string } | undefined>(undefined);
  const [asking, setAsking] = useState<UserRow | undefined>(undefined);
  const reset = async ({ user, name }: UserRow): Promise<void> => {
    setAsking(undefined);
    const found = await change<{ password: string }>("POST", `/admin/users/${user}/reset`, {}, "", users.again);
    if (found) setMade({ name, password: found.password });
  };
  const set = (one: UserRow, body: object, done: string): void =>
    void change("PATCH", `/admin/users/${one.user}`, body, done, users.again);
  return (
    <>
      <Search label="A part of the name or address" find={page.find} />
      <MadePassword made={made} />
      {asking && (
        <Dialog title={`A new password for ${asking.name}`} onClose={() => setAsking(undefined)}>
          <p>The present one opens nothing any more, and all browsers of this person are signed out.</p>
          <div class="dialog-actions">
            <button class="quiet" onClick={() => setAsking(undefined)}>
              Cancel
            </button>
            <button class="danger" onClick={() => void reset(asking)}>
              Make a new password
            </button>
          </div>
        </Dialog>
      )}
      <Waiting of={users}>
        <Table columns={["Name", "Spaces", "Devices", "Documents", "Room"]} actions>
          {users.value?.users.map((one) => (
            <tr key={one.user}>
              <th scope="row" dir="auto">
                {one.name} {one.administrator && <span class="badge plain">administrator</span>}{" "}
                {one.state !== "active" && <span class="badge plain">{one.state}</span>}
              </th>
              <td>{one.used.spaces}</td>
              <td>{one.used.devices}</td>
              <td>{one.used.documents ?? "–"}</td>
              <td>{size(one.used.bytes)}</td>
              <td class="actions">
                <LimitsButton path={`/admin/users/${one.user}`} name={one.name} overrides={one.overrides} again={users.again} />{" "}
                <button class="quiet small" aria-label={`New password for ${one.name}`} onClick={() => setAsking(one)}>
                  New password
                </button>{" "}
                {one.state === "disabled" ? (
                  <button class="quiet small" onClick={() => set(one, { disabled: false }, `${one.name} may sign in again.`)}>
                    Enable
                  </button>
                ) : (
                  <button class="danger small" aria-label={`Disable ${one.name}`} onClick={() => set(one, { disabled: true }, `Nothing opens for ${one.name} any more.`)}>
                    Disable
                  </button>
                )}
              </td>
            </tr>
          ))}
        </Table>
        {users.value?.users.length === 0 && <p class="hint">Nobody is called so.</p>}
        <Pages after={page.after} next={users.value?.after ?? null} go={page.go} />
      </Waiting>
    </>
  );
}

function Spaces() {
  const page = usePage("/admin/spaces");
  const spaces = useLoaded<{ spaces: readonly SpaceRow[]; after: string | null }>(page.address);
  return (
    <>
      <Search label="A part of the name or id" find={page.find} />
      <Waiting of={spaces}>
        <Table columns={["Space", "Documents", "Room", "History"]} actions>
          {spaces.value?.spaces.map((one) => (
            <tr key={one.space}>
              <th scope="row" dir="auto">
                {one.name} {one.state !== "active" && <span class="badge plain">{one.state}</span>}
                <br />
                <span class="hint">{one.space}</span>
              </th>
              <td>{one.used.documents ?? "–"}</td>
              <td>{size(one.used.bytes)}</td>
              <td>{size(one.used.history_bytes)}</td>
              <td class="actions">
                <LimitsButton path={`/admin/spaces/${one.space}`} name={one.name} overrides={one.overrides} again={spaces.again} />
              </td>
            </tr>
          ))}
        </Table>
        {spaces.value?.spaces.length === 0 && <p class="hint">No space is called so.</p>}
        <Pages after={page.after} next={spaces.value?.after ?? null} go={page.go} />
      </Waiting>
    </>
  );
}

function Invitations() {
  const invitations = useLoaded<{ invitations: readonly { invitation: string; expires_at: number }[] }>("/admin/invitations");
  const [link, setLink] = useState("");
  const invite = async (): Promise<void> => {
    const made = await change<{ url: string }>("POST", "/admin/invitations", {}, "", invitations.again);
    if (made) setLink(made.url);
  };
  return (
    <>
      <p>
        <button class="primary" onClick={() => void invite()}>
          Invite somebody to this server
        </button>
      </p>
      <MadeLink link={link} />
      <Waiting of={invitations}>
        <ul class="cards">
          {invitations.value?.invitations.map((one) => (
            <Invitation key={one.invitation} expires={one.expires_at} path={`/admin/invitations/${one.invitation}`} said="It is withdrawn." again={invitations.again}>
              <code>{one.invitation}</code>
            </Invitation>
          ))}
        </ul>
      </Waiting>
    </>
  );
}

function Log() {
  const [before, setBefore] = useState("");
  const log = useLoaded<{ entries: readonly Entry[]; before: number | null }>(`/admin/audit${before && `?before=${encodeURIComponent(before)}`}`);
  return (
    <Waiting of={log}>
      <Table columns={["When", "What", "By", "About"]}>
        {log.value?.entries.map((one, place) => (
          <tr key={place}>
            <td>{day(one.at)}</td>
            <td>{one.act}</td>
            <td>
              {one.by}
              {one.address && <span class="hint"> {one.address}</span>}
            </td>
            <td>{[one.space, one.user].filter(Boolean).join(" ")}</td>
          </tr>
        ))}
      </Table>
      <Pages after={before} next={log.value?.before == null ? null : String(log.value.before)} go={setBefore} />
    </Waiting>
  );
}

function Pages({ after, next, go }: { readonly after: string; readonly next: string | null; readonly go: (after: string) => void }) {
  if (!after && next === null) return null;
  return (
    <div class="dialog-actions">
      <button class="quiet small" disabled={!after} onClick={() => go("")}>
        First page
      </button>
      <button class="quiet small" disabled={next === null} onClick={() => go(next!)}>
        Next page
      </button>
    </div>
  );
}
