/**
 * One sync: listen, plan, act, until this client and the server agree.
 *
 * What is about to be sent is written down first (`pending`), and sent again, as it is, until it is answered. What is
 * answered is applied to what is here at that moment, in one commit with the base, the shadow and what was pending. So
 * it may be stopped anywhere: the next sync goes on from what is stored.
 */

import { contentHash, type ContentHash } from "../json/canonical.ts";
import { equal, type JsonObject } from "../json/values.ts";
import type { Conflict } from "../merge/objects.ts";
import type { Store } from "../stores/store.ts";
import type { Changes, Outgoing, Server } from "../transport/server.ts";
import { isForgotten, mayBeLost, mustMerge, onAnswer, onFetched, type MergeOnto, type NextState } from "./answer.ts";
import { Fingerprint } from "./fingerprint.ts";
import { actionFor, pendingFor, plan, type Action, type Plan } from "./plan.ts";
import { type Answer, type Body, isTombstone, NOTHING, type Pending, type Reply } from "./records.ts";
import { changed, emptyRow, NO_META, outlineOf, type Meta, type Row } from "./rows.ts";

/** Two are enough while nobody else writes. */
const MAX_ROUNDS = 8;
/** Documents that are prepared and submitted at a time. */
const PORTION = 1_000;
const PAGE = 1_000;
/** After so long agreement is proved by the content, and not by the cursor alone; milliseconds. */
const PROVE_AFTER = 3_600_000;
const WRITES_REFUSED = ["read-only", "space-archived"];

/** A document that is another one here now, or of which something was decided. */
export interface Arrival {
  readonly id: string;
  readonly doc: Body | null;
  /** Decided here, because it was edited while a request was under way. */
  readonly conflicts: readonly Conflict[];
  /** Decided by the server, as docs/protocol.md lists them. */
  readonly decided: readonly JsonObject[];
}

export interface SyncReport {
  /** Nothing is left to be done, but for what waits for people. */
  readonly agreed: boolean;
  readonly rounds: number;
  readonly sent: number;
  readonly arrived: number;
  readonly plan: Plan;
}

/** What the server told without being asked: all that changed since a cursor. */
export interface Announced {
  readonly since: string;
  readonly changes: Changes;
}

export interface SyncOptions {
  /** Many deletions are meant. */
  readonly confirmed?: boolean | undefined;
  readonly announced?: Announced | undefined;
  /** Prove agreement by the content, whenever it was proved before. */
  readonly prove?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

type Step = (name: string) => void | Promise<void>;

export class Sync {
  private readonly store: Store;
  private readonly server: Server;
  private readonly arrived: (arrivals: readonly Arrival[]) => void;
  private readonly step: Step;
  private mergeOnto: MergeOnto | undefined;
  private came: ReadonlyMap<string, Answer> = new Map();
  /** The server is to be asked before the next plan. */
  private asks = true;
  /** An answer showed that the server does not know any more what was agreed on. */
  private forgot = false;

  /** `step` is called between any two steps; tests stop there. */
  constructor(store: Store, server: Server, arrived: (arrivals: readonly Arrival[]) => void, step: Step = () => {}) {
    this.store = store;
    this.server = server;
    this.arrived = arrived;
    this.step = step;
  }

  /** Rejects with ServerError or StoreError; what was done until then is done, and the next run goes on from there. */
  async run(options: SyncOptions = {}): Promise<SyncReport> {
    let prove = options.prove ?? false;
    const counts = { sent: 0, arrived: 0 };
    this.mergeOnto = undefined;
    this.asks = true;
    if (options.announced) await this.take(options.announced);
    else if (!(await this.copied(counts, options.signal))) await this.retryRefused();
    for (let rounds = 1; ; rounds += 1) {
      if (this.asks) await this.listen(options.signal);
      this.asks = false;
      const made = await this.planned(options.confirmed);
      if (made.actions.length === 0) {
        if (await this.isProved(prove, options.signal)) {
          await this.setMeta((meta) => (meta.whole ? undefined : { ...meta, whole: true }));
          return { agreed: true, rounds, plan: made, ...counts };
        }
        prove = false;
      } else {
        await this.act(made.actions, options, counts);
      }
      if (this.forgot) await this.doubt();
      if (rounds === MAX_ROUNDS) return { agreed: false, rounds, plan: made, ...counts };
    }
  }

  private async planned(confirmed: boolean | undefined): Promise<Plan> {
    const open = await this.store.open();
    const local = new Map(open.flatMap((row) => (row.hash === null ? [] : [[row.id, row.hash] as const])));
    const outlines = new Map(open.map((row) => [row.id, outlineOf(row)]));
    return plan(local, outlines, { confirmed: confirmed ?? false, settled: await this.store.live() });
  }

  // Listening

  private async listen(signal?: AbortSignal): Promise<void> {
    const { cursor } = await this.store.meta();
    let changes = await this.server.changes(cursor, signal);
    if (!changes || (await this.mayHaveLost(changes))) {
      await this.doubt();
      changes = (await this.server.changes(null, signal))!;
    }
    await this.heard(changes);
    await this.step("listened");
  }

  private async take({ since, changes }: Announced): Promise<void> {
    const { cursor } = await this.store.meta();
    if (since !== cursor || (await this.mayHaveLost(changes))) return;
    await this.heard(changes);
    this.asks = false;
  }

  /** Whether something that was agreed on after the last cursor may be lost though the cursor is taken. */
  private async mayHaveLost({ cursor, isComplete }: Changes): Promise<boolean> {
    const { cursor: listened } = await this.store.meta();
    // Only where the history is another one need the bases be looked at.
    if (isComplete || !mayBeLost([`${2 ** 50}-x`], listened, cursor)) return false;
    for await (const rows of this.pages())
      if (mayBeLost(rows.flatMap(({ base }) => base ?? []), listened, cursor)) return true;
    return false;
  }

  private async heard({ hashes, cursor, isComplete, states }: Changes): Promise<void> {
    const remote = (row: Row): ContentHash | null => {
      const told = hashes.get(row.id);
      return told !== undefined ? told : isComplete ? null : row.remote;
    };
    for (;;) {
      const meta = await this.store.meta();
      const rows = new Map([...hashes.keys()].map((id) => [id, emptyRow(id)]));
      for (const [id, row] of await this.store.get([...hashes.keys()])) rows.set(id, row);
      if (isComplete) for await (const page of this.pages()) for (const row of page) rows.set(row.id, row);
      const next = [...rows.values()].flatMap((row) => {
        const now = remote(row);
        // What it has as it was agreed on, it has not forgotten.
        const unverified = row.unverified && row.shadow !== now;
        return now === row.remote && unverified === row.unverified ? [] : [changed(row, { remote: now, unverified })];
      });
      const proved = isComplete ? Date.now() : meta.proved;
      const same = next.length === 0 && cursor === meta.cursor && !isComplete;
      if (same || (await this.store.commit(next, { ...meta, version: meta.version + 1, cursor, proved }))) break;
    }
    this.came = states;
  }

  /** The server may have forgotten what was agreed on: it is asked what it has, and sent what differs. */
  private async doubt(): Promise<void> {
    for await (const rows of this.pages()) {
      const ids = rows.filter(({ base, unverified }) => base !== null && !unverified).map(({ id }) => id);
      await this.change(ids, (row) => (row.base === null ? undefined : { unverified: true }));
    }
    await this.setMeta((meta) => ({ ...meta, cursor: null }));
    await this.step("doubted");
    [this.came, this.forgot, this.asks] = [new Map(), false, true];
  }

  /** Whether the server has what is remembered of it, by the content. It is asked now and then. */
  private async isProved(prove: boolean, signal?: AbortSignal): Promise<boolean> {
    const { cursor, proved } = await this.store.meta();
    if (cursor === null || (!prove && Math.abs(Date.now() - proved) < PROVE_AFTER)) return true;
    const fingerprint = new Fingerprint();
    for await (const rows of this.pages())
      for (const { id, remote } of rows) if (remote !== null) fingerprint.add(id, remote);
    const agrees = await this.server.agrees(cursor, fingerprint.text(), signal);
    if (agrees === false) await this.doubt();
    else if (agrees) await this.setMeta((meta) => ({ ...meta, proved: Date.now() }));
    return agrees !== false;
  }

  /** Into an empty store everything comes as it is, without a list of it before. */
  private async copied(counts: { arrived: number }, signal?: AbortSignal): Promise<boolean> {
    if ((await this.store.meta()).version > NO_META.version || (await this.store.list("", 1)).length > 0) return false;
    let first: string | undefined;
    for await (const { states, cursor } of this.server.pages(signal)) {
      first ??= cursor;
      const replies = [...states].map(([id, answer]): [string, Reply] => [id, { kind: "answer", answer }]);
      counts.arrived += await this.apply(new Map(replies), new Map());
      await this.step("copied");
    }
    // Of before the first page: what changed meanwhile is heard of next.
    if (first !== undefined) await this.setMeta((meta) => ({ ...meta, cursor: first, proved: Date.now() }));
    return true;
  }

  /** The role in the space may be another one by now. */
  private async retryRefused(): Promise<void> {
    const ids = (await this.store.open()).flatMap((row) =>
      row.refused && WRITES_REFUSED.includes(row.refused.code) ? [row.id] : [],
    );
    await this.change(ids, () => ({ refused: null }));
  }

  // Acting

  private async act(
    actions: readonly Action[],
    { confirmed, signal }: SyncOptions,
    counts: { sent: number; arrived: number },
  ): Promise<void> {
    await this.adopt(actions.flatMap(({ kind, id }) => (kind === "adopt" ? [id] : [])));
    const came = this.came;
    this.came = new Map();
    const here = actions.flatMap(({ kind, id }) => {
      const answer = kind === "fetch" ? came.get(id) : undefined;
      return answer ? [[id, { kind: "answer", answer }] as [string, Reply]] : [];
    });
    counts.arrived += await this.apply(new Map(here), new Map(), signal);
    const known = new Set(here.map(([id]) => id));
    const left = actions.filter(({ kind, id }) => kind !== "adopt" && !known.has(id));
    // After an answer the server is asked again whether that is all. What it told by itself is.
    this.asks ||= left.length > 0;
    for (let at = 0; at < left.length; at += PORTION) {
      const outgoing = await this.prepared(left.slice(at, at + PORTION));
      await this.step("pending");
      const sent = new Map(outgoing.map(({ id, pending }) => [id, pending]));
      for await (const replies of this.server.submit(outgoing, { confirmed, signal })) {
        await this.step("answered");
        counts.sent += [...replies.keys()].filter((id) => sent.get(id)).length;
        counts.arrived += await this.apply(replies, sent, signal);
        await this.step("applied");
      }
    }
  }

  private async adopt(ids: readonly string[]): Promise<void> {
    await this.change(ids, (row) => {
      const adopts = actionFor(row.id, row.hash, outlineOf(row))?.kind === "adopt";
      return adopts ? { ...NOTHING, base: row.remote, shadow: row.hash, shadowBody: row.doc, remote: row.remote } : undefined;
    });
  }

  /** With every state that is to be sent written down as pending. */
  private async prepared(actions: readonly Action[]): Promise<Outgoing[]> {
    const { whole: agreedOnce } = await this.store.meta();
    const kinds = new Map(actions.map(({ id, kind }) => [id, kind]));
    const rows = await this.change([...kinds.keys()], (row) => {
      const planned = kinds.get(row.id)!;
      // Only what the plan was made for; the rest is for the next round.
      if (row.pending || (planned !== "send" && planned !== "delete") || (planned === "send") !== (row.doc !== null))
        return undefined;
      // What nothing was agreed on was made here: documents come from the server or from an edit, unlike files. So it is
      // new, also if somebody else has made one with the same id meanwhile, and both are merged.
      const record = agreedOnce && row.base === null ? { ...row, remote: null } : row;
      const pending = pendingFor(row.id, record, row.doc, agreedOnce);
      return pending && { pending, refused: null };
    });
    return [...rows.values()].flatMap(({ id, pending }) =>
      pending || kinds.get(id) === "fetch" ? [{ id, pending }] : [],
    );
  }

  /** Applies answers to what is here at that moment. `sent`: what they are answers to. Returns how many arrived. */
  private async apply(
    replies: ReadonlyMap<string, Reply>,
    sent: ReadonlyMap<string, Pending | null>,
    signal?: AbortSignal,
  ): Promise<number> {
    if (replies.size === 0) return 0;
    if (!this.mergeOnto) {
      const now = await this.store.get([...replies.keys()]);
      const merges = [...replies].some(([id, reply]) => {
        const row = now.get(id);
        return reply.kind === "answer" && row?.pending && mustMerge(row.pending, row.doc, reply.answer);
      });
      if (merges) await this.loadMerge(signal);
    }
    for (let count = 0; ; ) {
      const arrivals: Arrival[] = [];
      let mustLoad = false;
      await this.change(
        [...replies.keys()],
        (row) => {
          const reply = replies.get(row.id)!;
          const asked = sent.get(row.id) ?? null;
          const answers = asked ? row.pending?.hash === asked.hash && row.pending.base === asked.base : !row.pending;
          if (!answers || reply.kind === "notNow") return undefined; // another context was faster
          if (reply.kind === "refused") {
            if (!row.pending) return undefined;
            const deletes = isTombstone(row.pending.body);
            const hash = deletes ? null : row.pending.hash;
            return { pending: null, refused: { code: reply.code, reason: reply.reason, hash, remote: row.remote } };
          }
          if (row.pending && !this.mergeOnto && mustMerge(row.pending, row.doc, reply.answer)) {
            mustLoad = true; // it was edited just now
            return undefined;
          }
          return this.changedRow(row, reply.answer, arrivals);
        },
        () => {
          arrivals.length = 0;
          mustLoad = false;
        },
      );
      if (arrivals.length > 0) this.arrived(arrivals);
      count += arrivals.length;
      if (!mustLoad) return count;
      await this.loadMerge(signal);
    }
  }

  private changedRow(row: Row, answer: Answer, arrivals: Arrival[]): Partial<Row> | undefined {
    let found: NextState | undefined;
    if (row.pending) {
      // Where there is none it was asked before that none is needed.
      found = onAnswer(row.pending, row.doc, answer, this.mergeOnto!, row.pending.hash === row.shadow);
    } else {
      if (isForgotten(row.base, answer.rev)) {
        this.forgot = true;
        return undefined;
      }
      found = onFetched(row.shadowBody, row.doc, answer);
      if (!found) return row.remote === answer.hash ? undefined : { remote: answer.hash };
    }
    const { doc, record, conflicts } = found;
    const decided = answer.conflicts ?? [];
    if (!equal(doc, row.doc) || conflicts.length > 0 || decided.length > 0)
      arrivals.push({ id: row.id, doc, conflicts, decided });
    return { ...record, doc, hash: doc === answer.state ? answer.hash : doc === row.doc ? row.hash : doc && contentHash(doc) };
  }

  /** Half of this library, and the policies of the space: loaded when they are needed for the first time. */
  private async loadMerge(signal?: AbortSignal): Promise<void> {
    const [{ mergeOntoDeclared }, declared] = await Promise.all([import("../merge/onto.ts"), this.server.policies(signal)]);
    this.mergeOnto = mergeOntoDeclared(declared);
  }

  // The store

  /**
   * Changes rows, whatever others change meanwhile; `of` is asked again for what is there then. Returns the rows as they
   * are now, also those that were left as they are. `again` is called before everything is asked again.
   */
  private async change(
    ids: readonly string[],
    of: (row: Row) => Partial<Row> | undefined,
    again: () => void = () => {},
  ): Promise<Map<string, Row>> {
    for (;;) {
      again();
      const known = await this.store.get(ids);
      const rows = new Map<string, Row>();
      const next: Row[] = [];
      for (const id of ids) {
        const row = known.get(id) ?? emptyRow(id);
        const change = of(row);
        rows.set(id, change ? changed(row, change) : row);
        if (change) next.push(rows.get(id)!);
      }
      if (next.length === 0 || (await this.store.commit(next))) return rows;
    }
  }

  private async setMeta(of: (meta: Meta) => Meta | undefined): Promise<void> {
    for (;;) {
      const meta = await this.store.meta();
      const next = of(meta);
      if (!next || (await this.store.commit([], { ...next, version: meta.version + 1 }))) return;
    }
  }

  /** All rows. */
  private async *pages(): AsyncGenerator<Row[]> {
    let after = "";
    for (;;) {
      const rows = await this.store.list(after, PAGE);
      if (rows.length === 0) return;
      yield rows;
      after = rows[rows.length - 1].id;
    }
  }
}
