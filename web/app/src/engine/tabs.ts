/** Several tabs of one space: one of them syncs, and each hears of the edits of the others at once. */

export type Message =
  /** Documents are others now. */
  | { readonly kind: "changed"; readonly ids: readonly string[] }
  /** How the sync stands, of the tab that syncs. */
  | { readonly kind: "status"; readonly status: unknown }
  /** To the tab that syncs: sync now; or tell how it stands. */
  | { readonly kind: "sync"; readonly confirmed: boolean }
  | { readonly kind: "ask" }
  | { readonly kind: "conflicts" };

export class Tabs {
  private readonly name: string;
  private readonly channel: BroadcastChannel;
  private readonly ending = new AbortController();
  private release: () => void = () => {};

  /** `name`: of what the tabs have in common. */
  constructor(name: string, heard: (message: Message) => void) {
    this.name = name;
    this.channel = new BroadcastChannel(name);
    this.channel.onmessage = ({ data }: MessageEvent<Message>) => heard(data);
  }

  tell(message: Message): void {
    if (!this.ending.signal.aborted) this.channel.postMessage(message);
  }

  /** Calls `lead` when this tab is the one that syncs; that it is until it is closed or killed. */
  async elect(lead: () => void): Promise<void> {
    const held = new Promise<void>((resolve) => (this.release = resolve));
    try {
      await navigator.locks.request(`${this.name}:leader`, { signal: this.ending.signal }, () => {
        lead();
        return held;
      });
    } catch (error) {
      if (!this.ending.signal.aborted) throw error;
    }
  }

  close(): void {
    this.ending.abort();
    this.release();
    this.channel.close();
  }
}
