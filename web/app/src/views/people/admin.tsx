/** For administrators: people, spaces, invitations to the server, and what was done. */

import { useState } from "preact/hooks";

import { Invitation, MadeLink } from "./invitations.tsx";
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
  readonly used: Used;
}

interface SpaceRow {
  readonly space: string;
  readonly name: string;
  readonly state: string;
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

function Users() {
  const [after, setAfter] = useState("");
  const users = useLoaded<{ users: readonly UserRow[]; after: string | null }>(`/admin/users${after && `?after=${after}`}`);
  const set = (one: UserRow, body: object, done: string): void =>
    void change("PATCH", `/admin/users/${one.user}`, body, done, users.again);
  return (
    <Waiting of={users}>
      <div class="wide-table">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Spaces</th>
              <th scope="col">Devices</th>
              <th scope="col">Documents</th>
              <th scope="col">Room</th>
              <th scope="col">
                <span class="sr-only">What can be done</span>
              </th>
            </tr>
          </thead>
          <tbody>
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
          </tbody>
        </table>
      </div>
      <Pages after={after} next={users.value?.after ?? null} go={setAfter} />
    </Waiting>
  );
}

function Spaces() {
  const [after, setAfter] = useState("");
  const spaces = useLoaded<{ spaces: readonly SpaceRow[]; after: string | null }>(`/admin/spaces${after && `?after=${after}`}`);
  return (
    <Waiting of={spaces}>
      <div class="wide-table">
        <table>
          <thead>
            <tr>
              <th scope="col">Space</th>
              <th scope="col">Documents</th>
              <th scope="col">Room</th>
              <th scope="col">History</th>
            </tr>
          </thead>
          <tbody>
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
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <Pages after={after} next={spaces.value?.after ?? null} go={setAfter} />
    </Waiting>
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
  const log = useLoaded<{ entries: readonly Entry[]; before: number | null }>(`/admin/audit${before && `?before=${before}`}`);
  return (
    <Waiting of={log}>
      <div class="wide-table">
        <table>
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">What</th>
              <th scope="col">By</th>
              <th scope="col">About</th>
            </tr>
          </thead>
          <tbody>
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
          </tbody>
        </table>
      </div>
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
      <button class="quiet small" disabled={next === null} onClick={() => go(encodeURIComponent(next!))}>
        Next page
      </button>
    </div>
  );
}
