/** Opens the space that the address names, from what is stored here; the server is asked beside that. */

import { effect, signal } from "@preact/signals";
import { render } from "preact";

import { begin, person, RequestError, SIGN_IN } from "./engine/session.ts";
import { databaseOf, SpaceEngine } from "./engine/space.ts";
import { keepMaking } from "./occurrences.ts";
import { keepRelease } from "./release.ts";
import { engine, route } from "./state.ts";
import "./ui/style.css";
import "./ui/theme.ts";
import { sentence } from "./ui/messages.tsx";
import { Shell } from "./views/shell.tsx";

const LAST_SPACE = "hypertask-space";
const failure = signal("");

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

let opening: Promise<void> = Promise.resolve();

/** The space of the address, else the one that was open last, else the first. */
function wanted(): string | undefined {
  const spaces = (person.value?.spaces ?? []).filter(({ delete_at }) => delete_at === null);
  const names = [route.value.space, localStorage.getItem(LAST_SPACE), spaces[0]?.space];
  return names.find((name) => name && spaces.some(({ space }) => space === name)) ?? undefined;
}

async function open(space: string): Promise<void> {
  if (!person.value || engine.peek()?.name === databaseOf(person.value.user, space)) return;
  await engine.peek()?.close();
  engine.value = undefined;
  engine.value = await SpaceEngine.open(person.value.user, space);
  localStorage.setItem(LAST_SPACE, space);
  if (route.value.space !== space) location.replace(`#/${encodeURIComponent(space)}/list`);
}

effect(() => {
  const space = wanted();
  if (!space) return;
  opening = opening.then(() => open(space)).catch((error: unknown) => void (failure.value = sentence(error)));
});

async function start(): Promise<void> {
  render(<App />, document.getElementById("app")!);
  try {
    await begin();
    if (!wanted()) failure.value = "You are in no space yet. Make one on the page of your account.";
  } catch (error) {
    if (person.value) return; // what is here can be used without the server
    if (error instanceof RequestError && error.status === 401) location.replace(SIGN_IN);
    else failure.value = sentence(error);
  }
}

void start();
keepMaking();
void keepRelease().catch(() => undefined);
