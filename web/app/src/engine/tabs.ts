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

  /** Whether this tab is the one that syncs from now on, until it is closed or killed: there is no other. */
  async leads(): Promise<boolean> {
    // Browsers have locks for pages by https, and of this machine. Elsewhere each tab syncs, and each commit is compared.
    if (!("locks" in navigator)) return true;
    return new Promise((resolve, reject) => {
      this.hold({ ifAvailable: true }, (has) => resolve(has)).catch(reject);
    });
  }

  /** Calls `lead` when it is the turn of this tab. */
  async elect(lead: () => void): Promise<void> {
    try {
      await this.hold({ signal: this.ending.signal }, lead);
    } catch (error) {
      if (!this.ending.signal.aborted) throw error;
    }
  }

  private async hold(options: LockOptions, has: (lock: boolean) => void): Promise<void> {
    await navigator.locks.request(`${this.name}:leader`, options, (lock) => {
      has(lock !== null);
      return lock === null || this.ending.signal.aborted ? undefined : new Promise<void>((resolve) => (this.release = resolve));
    });
  }

  close(): void {
    this.ending.abort();
    this.release();
    this.channel.close();
  }
}
