/** Nothing more can be done with the server now. What was stored is kept, and pending states are sent again. */
export class ServerError extends Error {
  override readonly name = "ServerError";
  /**
   * `unreachable`: no answer; `unavailable`: not now; `access`: the token is not accepted, or not for this;
   * `unexpected`: what answers is no server of this protocol, or lacks what this library needs.
   */
  readonly code: "unreachable" | "unavailable" | "access" | "unexpected";
  /** Seconds after which the server wants to be asked again, if it said so. */
  readonly retryAfter: number | undefined;

  constructor(code: ServerError["code"], message: string, options: ErrorOptions & { retryAfter?: number } = {}) {
    super(message, options);
    this.code = code;
    this.retryAfter = options.retryAfter;
  }

  /** Whether it may be over in a while without anybody doing anything. */
  get passing(): boolean {
    return this.code === "unreachable" || this.code === "unavailable";
  }
}
