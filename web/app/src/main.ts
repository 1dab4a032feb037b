/**
 * Opens the space that the address names, from what is stored here; the server is asked when that is on the screen. What
 * is stored is being read while the frame of the page is drawn.
 */

import { effect } from "@preact/signals";

import { drawn, pagesAreThere, pause } from "./engine/drawn.ts";
import { begin, departed, person, RequestError, SIGN_IN } from "./engine/session.ts";
import { SpaceEngine } from "./engine/space.ts";
import { databaseOf, removeSent } from "./engine/stored.ts";
import { current, engine, failure, readRoute, route, selected } from "./state.ts";
import "./ui/style.css";
import "./ui/theme.ts";
import { sentence } from "./ui/sentences.ts";

const LAST_SPACE = "hypertask-space";
/** Milliseconds that the page stays empty while what is stored is being opened. */
const BLANK = 150;
/** Milliseconds after which the server is asked though what is stored was not read so far. */
const PATIENCE = 1000;

let opening: Promise<void> = Promise.resolve();

/** The space of the address, else the one that was open last, else the first. */
function wanted(): string | undefined {
  const spaces = (person.value?.spaces ?? []).filter(({ delete_at }) => delete_at === null);
  const names = [route.value.space, localStorage.getItem(LAST_SPACE), spaces[0]?.space];
  return names.find((name) => name && spaces.some(({ space }) => space === name)) ?? undefined;
}

/** `space` undefined: none, so that what is open is closed. */
async function open(space: string | undefined): Promise<void> {
  const user = person.peek()?.user;
  const name = user && space && databaseOf(user, space);
  const before = engine.peek();
  if (before?.name === name) return;
  engine.value = undefined;
  [selected.value, current.value] = [new Set(), undefined];
  await before?.close();
  if (!name) {
    if (user) failure.value = "You are in no space yet. Make one on the page of your account.";
    return;
  }
  const opened = await SpaceEngine.open(user, space);
  // The frame of the page is drawn while what is stored is being read.
  const read = opened.begin();
  engine.value = opened;
  localStorage.setItem(LAST_SPACE, space);
  try {
    await read;
  } catch (error) {
    if (engine.peek() === opened) engine.value = undefined;
    await opened.close();
    throw error;
  }
  await drawn();
  // Meanwhile somebody may have gone to another page of it.
  if (engine.peek() === opened && readRoute().space !== space) location.replace(`#/${encodeURIComponent(space)}/list`);
}

effect(() => {
  const space = wanted();
  opening = opening.then(() => open(space)).catch((error: unknown) => void (failure.value = sentence(error)));
});

/** There is more to show than that something is being opened. */
const toShow = new Promise<void>((resolve) => {
  effect(() => {
    if (engine.value !== undefined || failure.value !== "") resolve();
  });
});
/** What is stored is on the screen, unless it takes long. */
const shown = Promise.race([opening, pause(PATIENCE)]);

async function start(): Promise<void> {
  await shown;
  try {
    await begin();
  } catch (error) {
    if (person.value) return; // what is here can be used without the server
    if (error instanceof RequestError && error.status === 401) location.replace(SIGN_IN);
    else failure.value = sentence(error);
  }
}

async function show(): Promise<void> {
  const place = document.getElementById("app")!;
  try {
    const [{ show }] = await Promise.all([import("./views/app.tsx"), Promise.race([toShow, pause(BLANK)])]);
    show(place, shown);
    pagesAreThere();
  } catch (error) {
    place.textContent = "The web client could not be loaded as a whole. Load this page again.";
    place.className = "splash";
    throw error;
  }
}

const left = departed();
if (left !== undefined) removeSent(left).catch(reportError);
void show();
void start();
