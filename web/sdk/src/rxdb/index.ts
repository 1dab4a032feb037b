/** Replication of an RxDB collection with a space of a Hypertask server. Needs the packages `rxdb` and `rxjs`. */

import type { RxCollection, WithDeleted } from "rxdb";
import { replicateRxCollection, type RxReplicationState } from "rxdb/plugins/replication";
import { Subject } from "rxjs";

import type { ChannelOptions } from "../transport/channel.ts";
import { Server } from "../transport/server.ts";
import { Handlers, type Checkpoint, type Pulled, type RxState } from "./handlers.ts";

export { RefusedError } from "./handlers.ts";

export interface HypertaskReplicationOptions<Doc> extends ChannelOptions {
  /** Its primary key is `id`: 1 to 128 characters of A-Z a-z 0-9 . _ ~ -. */
  readonly collection: RxCollection<Doc>;
  /** Go on after the first sync; true without it. */
  readonly live?: boolean;
  /** Milliseconds after which a failed request is sent again. */
  readonly retryTime?: number;
  readonly batchSize?: number;
  /** Many deletions are meant. */
  readonly confirmed?: boolean;
}

/** In the place of `replicateRxCollection`, or of another plugin's function: the rest of the application stays as it is. */
export function replicateHypertask<Doc>(options: HypertaskReplicationOptions<Doc>): RxReplicationState<Doc, Checkpoint> {
  const { collection, live = true, retryTime = 5_000, batchSize = 100, confirmed = false, ...channel } = options;
  if (String(collection.schema.primaryPath) !== "id") throw new TypeError("The primary key of the collection is to be id.");
  const handlers = new Handlers(new Server(channel), confirmed);
  const stream$ = new Subject<{ documents: WithDeleted<Doc>[]; checkpoint: Checkpoint } | "RESYNC">();
  const state = replicateRxCollection<Doc, Checkpoint>({
    collection,
    replicationIdentifier: `hypertask ${channel.url} ${channel.space ?? ""}`,
    live,
    retryTime,
    autoStart: false,
    pull: {
      batchSize,
      handler: async (checkpoint, size) => typed<Doc>(await handlers.pull(checkpoint, size)),
      stream$: stream$.asObservable(),
    },
    push: {
      batchSize,
      handler: async (rows) =>
        (await handlers.push(rows as unknown as Parameters<Handlers["push"]>[0])) as unknown as WithDeleted<Doc>[],
    },
  });
  if (live) {
    const stopping = new AbortController();
    const forward = async (): Promise<void> => {
      await state.awaitInitialReplication();
      for await (const told of handlers.stream(stopping.signal))
        stream$.next(told === "RESYNC" ? told : { ...typed<Doc>(told), checkpoint: told.checkpoint! });
    };
    state.canceled$.subscribe((canceled) => {
      if (canceled) stopping.abort();
    });
    void forward();
  }
  void state.start();
  return state;
}

function typed<Doc>({ documents, checkpoint }: Pulled): { documents: WithDeleted<Doc>[]; checkpoint: Checkpoint | undefined } {
  return { documents: documents as (RxState & unknown)[] as unknown as WithDeleted<Doc>[], checkpoint };
}
