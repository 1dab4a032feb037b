/** What happened to a document: its states at the server, what was different, and the way back. */

import { useEffect, useState } from "preact/hooks";

import type { Document } from "../../../sdk/src/client.ts";
import { stamped } from "../deeds.ts";
import { changesBetween, type FieldChange } from "../domain/differences.ts";
import { clipped, type Task } from "../domain/tasks.ts";
import { call } from "../engine/session.ts";
import { engine, mayWrite, now, space } from "../state.ts";
import { say, sayError } from "../ui/messages.tsx";
import { sentence } from "../ui/sentences.ts";
import { age } from "./sync.tsx";

interface Revision {
  readonly rev: string;
  readonly hash: string | null;
  readonly deleted?: boolean;
  readonly at: number;
  readonly device: string | null;
  readonly outcome: string;
  readonly rule: string;
  readonly conflicts?: readonly Record<string, unknown>[];
}

/** Revisions that are shown, and whose bodies are fetched, until older ones are asked for. */
const AT_ONCE = 20;

const OUTCOMES: Readonly<Record<string, string>> = {
  fast_forward: "Changed",
  applied: "Changed",
  merged: "Merged",
  deleted: "Deleted",
  resurrected: "Brought back",
  unchanged: "Received again",
};

export function HistoryPanel({ id }: { readonly id: string }) {
  const [revisions, setRevisions] = useState<readonly Revision[] | undefined>(undefined);
  const [names, setNames] = useState<ReadonlyMap<string, string>>(new Map());
  const [error, setError] = useState("");
  const [count, setCount] = useState(AT_ONCE);
  const doc = engine.value!.docs.value.get(id);
  useEffect(() => {
    let current = true;
    const load = async (): Promise<void> => {
      const found = (await engine.value!.history(id)) as unknown as Revision[];
      if (current) setRevisions(found.filter(({ outcome }) => outcome !== "unchanged"));
      const known = await deviceNames();
      if (current) setNames(known);
    };
    load().catch((failure: unknown) => current && setError(sentence(failure)));
    return () => {
      current = false;
    };
  }, [id, doc]);
  if (error && !revisions) return <p class="field-error page-error">{error}</p>;
  if (!revisions) return <p class="empty">Fetching the history …</p>;
  if (revisions.length === 0) return <p class="empty">The server has no history of it yet.</p>;
  return (
    <ol class="history">
      {revisions.slice(0, count).map((revision, place) => (
        <RevisionEntry
          key={revision.rev}
          id={id}
          revision={revision}
          before={revisions[place + 1]}
          isCurrent={place === 0}
          device={nameOf(revision.device, names)}
        />
      ))}
      {revisions.length > count && (
        <li>
          <button class="quiet small" onClick={() => setCount(count + AT_ONCE)}>
            Older ones
          </button>
        </li>
      )}
    </ol>
  );
}

function RevisionEntry({ id, revision, before, isCurrent, device }: {
  readonly id: string;
  readonly revision: Revision;
  readonly before: Revision | undefined;
  readonly isCurrent: boolean;
  readonly device: string;
}) {
  const [changes, setChanges] = useState<readonly FieldChange[] | string | undefined>(undefined);
  useEffect(() => {
    let current = true;
    Promise.all([bodyOf(id, revision), bodyOf(id, before)]).then(
      ([now, then]) => current && setChanges(changesBetween(then ?? {}, now ?? {})),
      () => current && setChanges("The server does not keep what it was any more."),
    );
    return () => {
      current = false;
    };
  }, [revision.rev]);
  const restore = async (): Promise<void> => {
    try {
      const body = await bodyOf(id, revision);
      const now = engine.value!.docs.value.get(id);
      if (!body) return sayError("There was nothing then.");
      await engine.value!.put("Restored", stamped(now ?? (body as Document), body as Task)!, now);
      say("It is as it was then.");
    } catch (failure) {
      sayError(failure);
    }
  };
  const what = !before && !revision.deleted ? "Added" : (OUTCOMES[revision.outcome] ?? revision.outcome);
  return (
    <li class="revision">
      <div class="revision-head">
        <strong>{what}</strong>
        <span class="hint">
          <time dateTime={new Date(revision.at * 1000).toISOString()}>{age(revision.at * 1000, now.value * 1000)}</time>
          {device && ` by ${device}`}
        </span>
        {!isCurrent && !revision.deleted && mayWrite.value && (
          <button class="link" onClick={() => void restore()}>
            Restore
          </button>
        )}
      </div>
      {typeof changes === "string" ? <p class="hint">{changes}</p> : <Differences changes={changes ?? []} />}
      {(revision.conflicts?.length ?? 0) > 0 && (
        <p class="hint">{revision.conflicts!.length === 1 ? "One field was" : `${revision.conflicts!.length} fields were`} edited on both sides.</p>
      )}
    </li>
  );
}

/** Of documents that may have thousands of fields, of any length. */
const MOST = 100;
const LONG = 2_000;

export function Differences({ changes }: { readonly changes: readonly FieldChange[] }) {
  const telling = changes.filter(({ path }) => path !== "modified" && path !== "id");
  return (
    <>
      <dl class="differences">
        {telling.slice(0, MOST).map(({ path, before, after }) => [
          <dt key={`name ${path}`}>{clipped(path, LONG)}</dt>,
          <dd key={`value ${path}`} dir="auto">
            {before !== undefined && <del>{clipped(text(before), LONG)}</del>}
            {before !== undefined && after !== undefined && " "}
            {after !== undefined && <ins>{clipped(text(after), LONG)}</ins>}
          </dd>,
        ])}
      </dl>
      {telling.length > MOST && <p class="hint">{telling.length - MOST} more fields.</p>}
    </>
  );
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** They may be large. */
const MOST_BODIES = 50;
const bodies = new Map<string, Promise<Record<string, unknown>>>();

/** The state of a revision, which never changes; undefined: there was none. */
async function bodyOf(id: string, revision: Revision | undefined): Promise<Record<string, unknown> | undefined> {
  if (!revision?.hash || revision.deleted) return undefined;
  const headers = { "hypertask-space": space.value?.space ?? engine.value!.space };
  const path = `/task/${encodeURIComponent(id)}/revisions/${revision.hash}`;
  let found = bodies.get(path);
  if (!found) {
    found = call<Record<string, unknown>>("GET", path, undefined, headers);
    if (bodies.size >= MOST_BODIES) bodies.clear();
    bodies.set(path, found);
    found.catch(() => bodies.delete(path));
  }
  return found;
}

/** What devices and browsers of one's own are called; those of others have their ids. */
async function deviceNames(): Promise<ReadonlyMap<string, string>> {
  const [{ devices }, { sessions }] = await Promise.all([
    call<{ devices: { device: string; name: string }[] }>("GET", "/devices"),
    call<{ sessions: { session: string; current: boolean }[] }>("GET", "/sessions"),
  ]);
  return new Map([
    ...devices.map(({ device, name }) => [device, name] as const),
    ...sessions.map(({ session, current }) => [session, current ? "this browser" : "another browser of yours"] as const),
  ]);
}

function nameOf(device: string | null, names: ReadonlyMap<string, string>): string {
  return device === null ? "" : (names.get(device.replace(/:restore$/, "")) ?? device);
}
