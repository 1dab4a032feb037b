/** Whom the cookie that scripts may read names. Pure. */

const NAME = "hypertask-user";

/**
 * The id of who signed in last; empty, or an empty text in quotes, once he has signed out; undefined: nothing is known.
 * Where a server came by http first, browsers go on sending what it set then, in any order: the one that pages by https
 * alone can set counts.
 */
export function lastUser(cookies: string): string | undefined {
  const all = new Map<string, string>();
  for (const one of cookies.split("; ")) {
    const at = one.indexOf("=");
    if (at > 0) all.set(one.slice(0, at), one.slice(at + 1));
  }
  return all.get(`__Host-${NAME}`) ?? all.get(NAME);
}
