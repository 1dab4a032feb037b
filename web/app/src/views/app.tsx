/** The whole page: the open space, or why there is none. */

import { render } from "preact";

import { keepMaking } from "../occurrences.ts";
import { keepRelease } from "../release.ts";
import { engine, failure } from "../state.ts";
import { Shell } from "./shell.tsx";

/** `shown`: what is stored is on the screen. */
export function show(place: HTMLElement, shown: Promise<void>): void {
  render(<App />, place);
  keepMaking();
  void keepRelease(shown).catch(() => undefined);
}

function App() {
  if (engine.value) return <Shell key={engine.value.name} />;
  return (
    <main class="splash">
      <img src="/app/icon.svg" alt="" width="56" height="56" />
      {failure.value ? (
        <>
          <p role="alert">{failure.value}</p>
          <button class="primary" onClick={() => location.reload()}>
            Try again
          </button>
        </>
      ) : (
        <p role="status">Opening your tasks …</p>
      )}
    </main>
  );
}
