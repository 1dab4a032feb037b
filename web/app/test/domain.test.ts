/** The words of the web client mean what they mean on the command line, which has made the vectors. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { columnsOf } from "../src/domain/columns.ts";
import { stored } from "../src/domain/dates.ts";
import { changesBetween } from "../src/domain/differences.ts";
import { readFilterOf } from "../src/domain/filters.ts";
import { newId } from "../src/domain/ids.ts";
import { dueText, grouped, GROUPINGS, listed, sorted, SORTS } from "../src/domain/listing.ts";
import { modification, taskOf } from "../src/domain/modifications.ts";
import { namesOf, withOther } from "../src/domain/places.ts";
import { isPattern, occurrences } from "../src/domain/recurrence.ts";
import { lastUser } from "../src/engine/last-user.ts";
import { titleOf, View, type Task } from "../src/domain/tasks.ts";
import { terms, urgency } from "../src/domain/urgency.ts";
import { splitLine } from "../src/domain/words.ts";

interface Outcome {
  readonly value?: unknown;
  readonly error?: true;
}

interface Vectors {
  readonly dates: readonly ({ now: number; text: string } & Outcome)[];
  readonly changes: readonly ({ now: number; words: string[]; body: Task } & Outcome)[];
  readonly filters: readonly ({ now: number; words: string[]; bodies: Task[] } & Outcome)[];
  readonly urgencies: readonly { now: number; bodies: Task[]; value: number[] }[];
  readonly repeats: readonly {
    now: number;
    pattern: Task;
    taken: number[];
    made: { occurrences: Task[]; pattern: Task } | null;
  }[];
}

const vectors = JSON.parse(readFileSync(process.env["HYPERTASK_VECTORS"]!, "utf8")) as Vectors;

function outcome(make: () => unknown): Outcome {
  try {
    return { value: make() };
  } catch {
    return { error: true };
  }
}

function same({ value, error }: Outcome, make: () => unknown, what: object): void {
  assert.deepEqual(outcome(make), error ? { error } : { value }, JSON.stringify(what));
}

test("days and moments", () => {
  assert.ok(vectors.dates.length > 0);
  for (const one of vectors.dates) same(one, () => stored(one.text, one.now), one);
});

test("changes", () => {
  assert.ok(vectors.changes.length > 0);
  for (const one of vectors.changes) same(one, () => modification(one.words, one.now)(one.body), one);
});

test("filters", () => {
  assert.ok(vectors.filters.length > 0);
  for (const one of vectors.filters) {
    const view = new View(one.bodies, one.now);
    same(one, () => one.bodies.filter(readFilterOf(one.words, view).test).map(({ id }) => id), one);
  }
});

test("urgency", () => {
  assert.ok(vectors.urgencies.length > 0);
  for (const one of vectors.urgencies) {
    const view = new View(one.bodies, one.now);
    for (const [place, body] of one.bodies.entries())
      assert.ok(Math.abs(urgency(body, view) - one.value[place]) < 1e-9, JSON.stringify([one.now, body]));
  }
});

test("repeating tasks", () => {
  assert.ok(vectors.repeats.some(({ made }) => made !== null && made.occurrences.length > 1));
  for (const { now, pattern, taken, made } of vectors.repeats) {
    const found = isPattern(pattern) ? occurrences(pattern, now, new Set(taken)) : undefined;
    assert.deepEqual(found ?? null, made, JSON.stringify({ now, pattern, taken }));
    // Nothing is made twice.
    if (found) assert.deepEqual(occurrences(found.pattern, now, new Set(taken))!.occurrences, []);
  }
});

test("a line is taken apart as people write it", () => {
  assert.deepEqual(splitLine(`call Ann's mother  project:"my home" +a 'two words'`), [
    "call", "Ann's", "mother", "project:my home", "+a", "two words",
  ]);
  assert.deepEqual(splitLine(`say "hello`), ["say", `"hello`]);
  assert.deepEqual(splitLine("  "), []);
});

test("a new task of a line", () => {
  const at = 1_774_647_000;
  assert.deepEqual(taskOf("buy milk +errand", "i", at), {
    id: "i",
    status: "pending",
    entry: "2026-03-27T21:30:00Z",
    modified: "2026-03-27T21:30:00Z",
    description: "buy milk",
    tags: ["errand"],
  });
  assert.throws(() => taskOf("+errand", "i", at), /needs a description/);
  assert.throws(() => taskOf("water recur:weekly", "i", at), /due/);
  assert.equal(taskOf("water recur:weekly due:friday", "i", at)["status"], "recurring");
});

test("ids have no letter that is easily mistaken, and bytes that would favour some are left out", () => {
  let next = 0;
  const made = newId((count) => Uint8Array.from({ length: count }, () => [252, 255, 0, 27, 28, 251][next++ % 6]!));
  assert.equal(made, "2z2z2z2z2z2z2z2z");
  assert.match(newId(), /^[23456789abcdefghkmnpqrstwxyz]{16}$/);
});

test("a list hides what is done, put off or a pattern, unless it is asked for", () => {
  const now = 1_774_647_000;
  const tasks: Task[] = [
    { id: "a", description: "a", status: "pending", project: "x", tags: ["t", "u"] },
    { id: "b", description: "b", status: "completed" },
    { id: "c", description: "c", wait: "2030-01-01" },
    { id: "d", description: "d", status: "recurring" },
    { id: "e", description: "e", due: "2026-03-27", priority: "H" },
  ];
  const view = new View(tasks, now);
  const ids = (found: readonly Task[]): string => found.map(({ id }) => id).join("");
  assert.equal(ids(listed(tasks, "", view)), "ae");
  assert.equal(ids(listed(tasks, "status:completed", view)), "b");
  assert.equal(ids(listed(tasks, "+WAITING", view)), "c");
  assert.equal(ids(sorted(tasks, "due", view)), "eabcd");
  assert.equal(ids(sorted(tasks, "priority", view)), "eabcd");
  assert.deepEqual(
    grouped(listed(tasks, "", view), "tags", view).map(({ label, tasks: its }) => [label, ids(its)]),
    [["+t", "a"], ["+u", "a"], ["No tags", "e"]],
  );
});

test("by urgency the most urgent is first, and ids decide between equals", () => {
  const now = 1_774_647_000;
  const causes = [{}, { project: "x" }, { priority: "L" }, { due: "2026-03-29" }, { tags: ["next", "a"] }, { depends: ["t1"] }];
  const tasks: Task[] = Array.from({ length: 500 }, (_, at) => ({ id: `t${(at * 7919) % 500}`, status: "pending", ...causes[at % 6] }));
  const view = new View(tasks, now);
  const found = sorted(tasks, "urgency", view);
  const expected = [...tasks].sort(
    (one, other) => urgency(other, view) - urgency(one, view) || (one.id < other.id ? -1 : 1),
  );
  assert.deepEqual(found.map(({ id }) => id), expected.map(({ id }) => id));
  assert.deepEqual(sorted([], "urgency", view), []);
  for (const task of tasks.slice(0, 12))
    assert.equal(terms(task, view).reduce((sum, [, value]) => sum + value, 0), urgency(task, view));
});

test("what differs, field by field", () => {
  const found = changesBetween({ a: 1, b: { c: 1, d: 2 }, e: [1] }, { b: { c: 1, d: 3 }, e: [1], f: null });
  assert.deepEqual(found, [
    { path: "a", before: 1, after: undefined },
    { path: "b.d", before: 2, after: 3 },
    { path: "f", before: undefined, after: null },
  ]);
});

test("a value that cannot be made a text breaks no list", () => {
  const value = { toString: 1, valueOf: 2, toJSON: 3 };
  const fields = ["description", "project", "priority", "due", "tags", "recur", "status", "entry"];
  const tasks: Task[] = [value, [value], null, "x".repeat(100_000)].map((one, at) => ({
    id: `t${at}`,
    ...Object.fromEntries(fields.map((name) => [name, one])),
  }));
  const view = new View(tasks, 1_774_647_000);
  for (const by of SORTS) assert.equal(sorted(tasks, by, view).length, 4);
  for (const by of GROUPINGS) for (const { label } of grouped(tasks, by, view)) assert.ok(label.length <= 101);
  for (const task of tasks) assert.ok(dueText(task["due"], view).length <= 41 && titleOf(task).length <= 301);
});

test("the other side of a conflict is taken where the field still is", () => {
  const doc = { id: "a", steps: [{ title: "x" }, { title: "y", n: 1 }], place: { "a/b": 1 }, list: [1, 2] };
  const take = (pointer: string, kept: unknown, other: unknown): unknown => withOther(doc, namesOf(pointer), kept, other);
  assert.deepEqual(take("/title", undefined, "new"), { ...doc, title: "new" });
  assert.deepEqual(take("/place/a~1b", 3, 2), { ...doc, place: { "a/b": 2 } });
  assert.deepEqual(take("/place/a~1b", 1, undefined), { ...doc, place: {} });
  assert.deepEqual(take("/steps/1/title", "y", "z"), { ...doc, steps: [doc.steps[0], { title: "z", n: 1 }] });
  assert.deepEqual(take("/list/0", 1, 7), { ...doc, list: [7, 2] });
  assert.deepEqual(take("/list/0", 1, undefined), { ...doc, list: [2] });
  // Another one stands there now, or none.
  for (const [pointer, kept] of [["/steps/0/title", "y"], ["/steps/2/title", "y"], ["/list/-", 1], ["/list/1", 1], ["", doc], ["/place/x/y", 1]] as const)
    assert.equal(take(pointer, kept, "z"), undefined, pointer);
  assert.deepEqual(Object.keys(withOther({}, ["__proto__"], 1, 2) as object), ["__proto__"]);
});

test("a table has the columns that most documents have", () => {
  const docs = [{ id: "1", x: 1, title: "a" }, { id: "2", x: 1 }, { id: "3", y: 1 }] as Task[];
  assert.deepEqual(columnsOf(docs), ["title", "x", "y"]);
});

test("values that are called as what every object has are values", () => {
  const view = new View([], 0);
  const [task] = [{ id: "a", priority: "constructor" }];
  assert.deepEqual(grouped([task], "priority", view).map(({ label }) => label), ["constructor"]);
  assert.deepEqual(grouped([task], "constructor", view).map(({ label }) => label), ["No constructor"]);
});

test("who signed in last is whom a page by https names, whatever pages by http have left", () => {
  assert.equal(lastUser(""), undefined);
  assert.equal(lastUser("other=1; xhypertask-user=u1"), undefined);
  assert.equal(lastUser("a=b; hypertask-user=u1"), "u1");
  assert.equal(lastUser('hypertask-user=""'), '""');
  assert.equal(lastUser("hypertask-user=u1; __Host-hypertask-user=u2"), "u2");
  assert.equal(lastUser("__Host-hypertask-user=u2; hypertask-user=u1"), "u2");
  assert.equal(lastUser("hypertask-user=u1; __Host-hypertask-user="), "");
});
