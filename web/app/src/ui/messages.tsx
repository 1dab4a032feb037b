/** What is said to people, on the screen and to screen readers: short messages, some with a way back. */

import { signal } from "@preact/signals";

import { sentence } from "./sentences.ts";

export interface Message {
  readonly key: number;
  readonly text: string;
  readonly tone: "plain" | "error";
  readonly action?: { readonly label: string; readonly run: () => void };
}

const SECONDS = 6;
const messages = signal<readonly Message[]>([]);
let keys = 0;

export function say(text: string, action?: Message["action"]): void {
  add({ key: ++keys, text, tone: "plain", ...(action ? { action } : {}) });
}

/** It stays until somebody closes it. */
export function sayError(error: unknown): void {
  add({ key: ++keys, text: sentence(error), tone: "error" });
}

function add(message: Message): void {
  messages.value = [...messages.value.slice(-2), message];
  if (message.tone === "plain") setTimeout(() => remove(message.key), SECONDS * 1000);
}

function remove(key: number): void {
  messages.value = messages.value.filter((one) => one.key !== key);
}

/** Closes those with a way back: it leads nowhere any more. */
export function forgetWays(): void {
  messages.value = messages.value.filter(({ action }) => !action);
}

export function Messages() {
  return (
    <div class="messages">
      <div role="status" aria-live="polite">
        {messages.value.filter((one) => one.tone === "plain").map(message)}
      </div>
      <div role="alert">{messages.value.filter((one) => one.tone === "error").map(message)}</div>
    </div>
  );
}

function message({ key, text, tone, action }: Message) {
  return (
    <div class={`message ${tone}`} key={key}>
      <span>{text}</span>
      {action && (
        <button
          class="link"
          onClick={() => {
            remove(key);
            action.run();
          }}
        >
          {action.label}
        </button>
      )}
      <button class="icon" aria-label="Close this message" onClick={() => remove(key)}>
        ×
      </button>
    </div>
  );
}
