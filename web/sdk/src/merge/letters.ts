/** Letters, digits and case as the server's language has them, so that both decide alike. */

/** Characters that are digits without being decimal numerals: superscripts, encircled ones and their like. */
const OTHER_DIGITS =
  "\\u00b2\\u00b3\\u00b9\\u1369-\\u1371\\u19da\\u2070\\u2074-\\u2079\\u2080-\\u2089\\u2460-\\u2468\\u2474-\\u247c" +
  "\\u2488-\\u2490\\u24ea\\u24f5-\\u24fd\\u24ff\\u2776-\\u277e\\u2780-\\u2788\\u278a-\\u2792\\u{10a40}-\\u{10a43}" +
  "\\u{10e60}-\\u{10e68}\\u{11052}-\\u{1105a}\\u{1f100}-\\u{1f10a}";
const DIGITS = new RegExp(`^[\\p{Nd}${OTHER_DIGITS}]+$`, "u");
const LETTERS = /^\p{L}+$/u;
const TOKENS = /\p{Nd}+|[\p{L}\p{Nl}\p{No}]+|[^]/gu;
const ASCII = /^[\0-\x7f]*$/;

export function isDigits(text: string): boolean {
  return DIGITS.test(text);
}

export function isLetters(text: string): boolean {
  return LETTERS.test(text);
}

/** Numbers, words and single characters. */
export function tokens(text: string): string[] {
  return text.match(TOKENS) ?? [];
}

/** The text without regard to case: Unicode's full case folding. */
export function folded(text: string): string {
  return ASCII.test(text) ? text.toLowerCase() : Array.from(text, foldedCharacter).join("");
}

function foldedCharacter(character: string): string {
  if (character === "\u0131") return character;
  // Of Cherokee the capital letters are the older ones, and stand for both.
  if (/[\u13a0-\u13ff\uab70-\uabbf]/.test(character)) return character.toUpperCase();
  return character.toLowerCase().toUpperCase().toLowerCase();
}
