/** Everything that may read and write in one's name: programs with a token, and browsers. */

import { now } from "../../state.ts";
import { age } from "../sync.tsx";
import { change, day, useLoaded, Waiting } from "./loaded.tsx";

interface Device {
  readonly device: string;
  readonly name: string;
  readonly client: string;
  readonly created_at: number;
  readonly last_seen: number | null;
  readonly last_sync: number | null;
  readonly lag: number | null;
  readonly expires_at: number | null;
}

interface Session {
  readonly session: string;
  readonly created_at: number;
  readonly last_seen: number;
  readonly address: string;
  readonly agent: string;
  readonly current: boolean;
}

export function DevicesPage() {
  const devices = useLoaded<{ devices: readonly Device[] }>("/devices");
  const sessions = useLoaded<{ sessions: readonly Session[] }>("/sessions");
  const ago = (seconds: number | null): string => (seconds === null ? "never" : age(seconds * 1000, now.value * 1000));
  return (
    <section class="page text" aria-label="Devices">
      <div class="page-head">
        <h1>Devices</h1>
        <a class="button quiet small" href="/device">
          Enter a terminal's code
        </a>
      </div>
      <p class="lead">
        Connect another one with <code>hypertask login</code> there. Revoking one ends what it holds open at once.
      </p>
      <Waiting of={devices}>
        {devices.value?.devices.length === 0 && <p class="hint">No program is connected.</p>}
        <ul class="cards">
          {devices.value?.devices.map((one) => (
            <li class="panel" key={one.device}>
              <div class="panel-head">
                <h2 dir="auto">{one.name}</h2>
                <button
                  class="danger small"
                  aria-label={`Revoke ${one.name}`}
                  onClick={() => void change("DELETE", `/devices/${one.device}`, undefined, `${one.name} is revoked.`, devices.again)}
                >
                  Revoke
                </button>
              </div>
              <dl class="facts-list">
                <dt>Last sync</dt>
                <dd>
                  {ago(one.last_sync)}
                  {one.lag !== null && (one.lag === 0 ? ", up to date" : `, ${one.lag === 1 ? "1 change" : `${one.lag} changes`} behind`)}
                </dd>
                <dt>Last heard of</dt>
                <dd>{ago(one.last_seen)}</dd>
                <dt>Connected</dt>
                <dd>{day(one.created_at)}</dd>
                {one.client && [<dt key="program:">Program</dt>, <dd key="program">{one.client}</dd>]}
                {one.expires_at !== null && [<dt key="ends:">Ends</dt>, <dd key="ends">{day(one.expires_at)}</dd>]}
              </dl>
            </li>
          ))}
        </ul>
      </Waiting>
      <h2 class="section-head">Browsers</h2>
      <Waiting of={sessions}>
        <ul class="cards">
          {sessions.value?.sessions.map((one) => (
            <li class="panel" key={one.session}>
              <div class="panel-head">
                <h2>{browserName(one.agent)}</h2>
                {one.current ? (
                  <span class="badge plain">this one</span>
                ) : (
                  <button
                    class="danger small"
                    aria-label={`Sign out ${browserName(one.agent)} of ${one.address}`}
                    onClick={() => void change("DELETE", `/sessions/${one.session}`, undefined, "It is signed out.", sessions.again)}
                  >
                    Sign out
                  </button>
                )}
              </div>
              <dl class="facts-list">
                <dt>Last heard of</dt>
                <dd>{ago(one.last_seen)}</dd>
                <dt>Signed in</dt>
                <dd>
                  {day(one.created_at)}
                  {one.address && ` from ${one.address}`}
                </dd>
              </dl>
            </li>
          ))}
        </ul>
      </Waiting>
    </section>
  );
}

/** What people call it; the whole of what it calls itself where that is not known. */
export function browserName(agent: string): string {
  const known = [
    ["Edg/", "Edge"],
    ["OPR/", "Opera"],
    ["Firefox/", "Firefox"],
    ["Chrome/", "Chrome"],
    ["Safari/", "Safari"],
  ].find(([mark]) => agent.includes(mark));
  const system = ["Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux"].find((name) => agent.includes(name));
  if (!known) return agent || "A program";
  return system ? `${known[1]} on ${system === "Mac OS" ? "Mac" : system}` : known[1];
}
