/** What errors are called. */

export function sentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  if (code === "full")
    return "This device has no room left, so the edit was not stored. Make room, then try again; nothing else was lost.";
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?)]$/.test(text) ? "" : ".");
}
