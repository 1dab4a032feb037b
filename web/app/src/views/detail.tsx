/** One document with every field: those that are known as fields of a form, all of it as JSON. */

import { useEffect, useRef, useState } from "preact/hooks";

import type { Document } from "../../../sdk/src/client.ts";
import { parse } from "../../../sdk/src/json/strict.ts";
import { remove, set, stamped } from "../deeds.ts";
import { stored } from "../domain/dates.ts";
import { withoutOwn } from "../domain/modifications.ts";
import { MOMENTS, shown, written } from "../domain/points.ts";
import { clipped, dependencies, isRecord, readable, tagsOf, titleOf, type Task } from "../domain/tasks.ts";
import { terms, urgency } from "../domain/urgency.ts";
import { addressOf, engine, mayWrite, now, view } from "../state.ts";
import { Icon } from "../ui/icons.tsx";
import { say, sayError } from "../ui/messages.tsx";
import { sentence } from "../ui/sentences.ts";
import { HistoryPanel } from "./history.tsx";
import { Check } from "./row.tsx";

const SHOWN = ["description", "project", "tags", "priority", "due", "wait", "scheduled", "until", "recur", "depends", "annotations"];
const LABELS: Readonly<Record<string, string>> = {
  due: "Due",
  wait: "Hide until",
  scheduled: "Scheduled",
  until: "Expires",
  recur: "Repeats",
  project: "Project",
  tags: "Tags",
  priority: "Priority",
};

export function Detail({ id, page }: { readonly id: string; readonly page: string }) {
  const doc = engine.value!.docs.value.get(id);
  const [tab, setTab] = useState<"fields" | "json" | "history">("fields");
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    setTab("fields");
    if (matchMedia("(max-width: 60rem)").matches) panel.current?.focus();
  }, [id]);
  return (
    <aside class="detail" aria-label="Details" ref={panel} tabIndex={-1}>
      <header class="detail-head">
        <div class="tabs" role="group" aria-label="What is shown">
          {(["fields", "json", "history"] as const).map((name) => (
            <button key={name} aria-pressed={tab === name} onClick={() => setTab(name)}>
              {{ fields: "Fields", json: "JSON", history: "History" }[name]}
            </button>
          ))}
        </div>
        {doc && mayWrite.value && (
          <button class="icon" aria-label="Delete" title="Delete" onClick={() => void remove([id])}>
            <Icon name="trash" />
          </button>
        )}
        <a class="icon" href={addressOf(page)} aria-label="Close the details" title="Close">
          <Icon name="close" />
        </a>
      </header>
      {tab === "history" ? (
        <HistoryPanel id={id} />
      ) : !doc ? (
        <div class="empty">
          <p class="empty-title">It is not there</p>
          <p>It was deleted, or has not arrived yet. Its history may still be kept.</p>
        </div>
      ) : tab === "json" ? (
        <JsonEditor key={id} doc={doc} />
      ) : (
        <Fields key={id} task={doc as Task} page={page} />
      )}
    </aside>
  );
}

function Fields({ task, page }: { readonly task: Task; readonly page: string }) {
  const disabled = !mayWrite.value;
  const change = (field: string, value: unknown): void =>
    void set([task.id], (one) =>
      value === undefined ? (withoutOwn(one, field) as Task) : ({ ...one, [field]: value } as Task),
    );
  const others = Object.entries(task).filter(([name]) => !SHOWN.includes(name) && !BOOKKEEPING.has(name));
  return (
    <div class="detail-body">
      <div class="detail-title">
        <Check task={task} />
        <TextField
          value={typeof task["description"] === "string" ? task["description"] : ""}
          label="Description"
          disabled={disabled}
          multiline
          store={(text) => change("description", text || undefined)}
        />
      </div>
      <div class="form-grid">
        {["due", "wait", "scheduled", "until"].map((name) => (
          <MomentField key={name} name={name} value={task[name]} disabled={disabled} store={(value) => change(name, value)} />
        ))}
        <label class="field">
          <span>Priority</span>
          <select
            value={readable(task["priority"] ?? "")}
            disabled={disabled}
            onChange={(event) => change("priority", event.currentTarget.value || undefined)}
          >
            <option value="">None</option>
            <option value="H">High</option>
            <option value="M">Medium</option>
            <option value="L">Low</option>
          </select>
        </label>
        {["project", "recur"].map((name) => (
          <label class="field" key={name}>
            <span>{LABELS[name]}</span>
            <TextField
              value={typeof task[name] === "string" ? task[name] : ""}
              label={LABELS[name]}
              disabled={disabled}
              list={name === "project" ? "projects" : undefined}
              store={(text) => change(name, text || undefined)}
            />
          </label>
        ))}
        <label class="field wide">
          <span>Tags</span>
          <TextField
            value={tagsOf(task).join(" ")}
            label="Tags, with spaces between them"
            disabled={disabled}
            store={(text) => {
              const tags = [...new Set(text.split(/[\s,]+/).map((tag) => tag.replace(/^\+/, "")).filter(Boolean))];
              change("tags", tags.length > 0 ? tags : undefined);
            }}
          />
        </label>
      </div>
      <datalist id="projects">
        {[...view.value.projects].map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <Depends task={task} page={page} />
      <Notes task={task} disabled={disabled} />
      {others.length > 0 && (
        <section>
          <h3>More fields</h3>
          <dl class="facts-list">
            {others.slice(0, MOST).map(([name, value]) => [
              <dt key={`name ${name}`}>{clipped(name, LONG)}</dt>,
              <dd key={`value ${name}`} dir="auto">
                {typeof value === "object" ? <code>{clipped(readable(value), LONG)}</code> : clipped(readable(value), LONG)}
              </dd>,
            ])}
          </dl>
          <More count={others.length - MOST} />
        </section>
      )}
      <Urgency task={task} />
      <p class="hint bookkeeping">
        {task["entry"] !== undefined && <>Added {shown(task["entry"])}. </>}
        {task["modified"] !== undefined && <>Changed {shown(task["modified"])}. </>}
        {task["end"] !== undefined && <>Done {shown(task["end"])}. </>}
        Id <code>{task.id}</code>
      </p>
    </div>
  );
}

/** Of a document that may have thousands; all of them are in its JSON. */
const MOST = 100;
const LONG = 2_000;

function More({ count }: { readonly count: number }) {
  return count > 0 ? <p class="hint">{count} more: see JSON.</p> : null;
}

const BOOKKEEPING = new Set(["id", "entry", "modified", "end", "status"]);

interface TextProperties {
  readonly value: string;
  readonly label: string;
  readonly disabled: boolean;
  readonly store: (text: string) => void;
  readonly multiline?: boolean;
  readonly list?: string | undefined;
  readonly error?: string;
  readonly placeholder?: string;
}

/** Stored when it is left, or with Enter; Escape takes back what was typed. What others change meanwhile is shown. */
function TextField({ value, label, disabled, store, multiline, list, error, placeholder }: TextProperties) {
  const [typed, setTyped] = useState<string | undefined>(undefined);
  const leave = (): void => {
    if (typed !== undefined && typed.trim() !== value) store(typed.trim());
    setTyped(undefined);
  };
  const properties = {
    value: typed ?? value,
    "aria-label": label,
    "aria-invalid": error ? (true as const) : undefined,
    disabled,
    placeholder,
    dir: "auto" as const,
    onInput: (event: Event) => setTyped((event.currentTarget as HTMLInputElement).value),
    onBlur: leave,
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        leave();
      } else if (event.key === "Escape" && typed !== undefined) {
        event.preventDefault();
        event.stopPropagation();
        setTyped(undefined);
      }
    },
  };
  if (!multiline) return <input {...properties} list={list} autocomplete="off" />;
  return <textarea {...properties} class="title-field" rows={Math.min(6, Math.ceil((properties.value.length + 1) / 34))} />;
}

function MomentField({ name, value, disabled, store }: {
  readonly name: string;
  readonly value: unknown;
  readonly disabled: boolean;
  readonly store: (value: string | undefined) => void;
}) {
  const [error, setError] = useState("");
  return (
    <label class="field">
      <span>{LABELS[name]}</span>
      <TextField
        value={value === undefined ? "" : shown(value)}
        label={`${LABELS[name]}: a day or a moment`}
        placeholder="friday, 3d …"
        disabled={disabled}
        error={error}
        store={(text) => {
          setError("");
          if (!text) return store(undefined);
          try {
            store(stored(text, now.value));
          } catch (failure) {
            setError(sentence(failure));
          }
        }}
      />
      {error && (
        <span class="field-error" role="alert">
          {error}
        </span>
      )}
    </label>
  );
}

function Depends({ task, page }: { readonly task: Task; readonly page: string }) {
  const ids = dependencies(task);
  if (ids.length === 0) return null;
  const docs = engine.value!.docs.value;
  return (
    <section>
      <h3>Depends on</h3>
      <ul class="plain-list">
        {ids.slice(0, MOST).map((id) => {
          const found = docs.get(id) as Task | undefined;
          return (
            <li key={id}>
              {found ? <Check task={found} /> : null}
              <a href={addressOf(page, id)} dir="auto">
                {found ? titleOf(found) : id}
              </a>
            </li>
          );
        })}
      </ul>
      <More count={ids.length - MOST} />
    </section>
  );
}

function Notes({ task, disabled }: { readonly task: Task; readonly disabled: boolean }) {
  const [text, setText] = useState("");
  const notes = Array.isArray(task["annotations"]) ? (task["annotations"] as unknown[]) : [];
  const add = (event: Event): void => {
    event.preventDefault();
    if (!text.trim()) return;
    const note = { entry: written(Date.now() / 1000), description: text.trim() };
    void set([task.id], (one) => ({
      ...one,
      annotations: [...(Array.isArray(one["annotations"]) ? (one["annotations"] as unknown[]) : []), note],
    }));
    setText("");
  };
  return (
    <section>
      <h3>Notes</h3>
      <ul class="plain-list notes">
        {notes.slice(-MOST).map((note, place) => (
          <li key={place}>
            <span dir="auto">{clipped(readable(isRecord(note) ? (note["description"] ?? "") : note), LONG)}</span>
            {isRecord(note) && note["entry"] !== undefined && <span class="hint">{shown(note["entry"])}</span>}
          </li>
        ))}
      </ul>
      <More count={notes.length - MOST} />
      {!disabled && (
        <form class="inline-form" onSubmit={add}>
          <input value={text} onInput={(event) => setText(event.currentTarget.value)} placeholder="Add a note" aria-label="Add a note" dir="auto" />
          <button class="quiet small" disabled={!text.trim()}>
            Add
          </button>
        </form>
      )}
    </section>
  );
}

function Urgency({ task }: { readonly task: Task }) {
  const parts = terms(task, view.value);
  return (
    <details class="urgency">
      <summary>Urgency {urgency(task, view.value).toFixed(1)}</summary>
      <dl class="facts-list">
        {parts.map(([name, value]) => [
          <dt key={`${name}:`}>{name}</dt>,
          <dd key={name}>{value.toFixed(1)}</dd>,
        ])}
      </dl>
    </details>
  );
}

/** All of a document, to be changed in any way. What others change meanwhile is merged. */
export function JsonEditor({ doc }: { readonly doc: Document }) {
  const [text, setText] = useState<string | undefined>(undefined);
  const [from, setFrom] = useState(doc);
  const [error, setError] = useState("");
  const shownText = text ?? pretty(doc);
  const save = async (): Promise<void> => {
    try {
      const value = parse(shownText);
      if (!isRecord(value)) throw new Error("A document is an object: { ... }");
      if (value["id"] !== doc.id) throw new Error(`The id stays what it is: ${JSON.stringify(doc.id)}`);
      for (const name of MOMENTS) if (value[name] === null) throw new Error(`${name}: leave it out instead of null`);
      await engine.value!.put(`Changed: ${titleOf(doc as Task)}`, stamped(from, value as Task)!, from);
      setText(undefined);
      setError("");
      say("Saved.");
    } catch (failure) {
      if ((failure as { code?: unknown }).code === "full") sayError(failure);
      setError(sentence(failure));
    }
  };
  return (
    <div class="detail-body json">
      <textarea
        class="code"
        aria-label="The document as JSON"
        aria-invalid={error ? true : undefined}
        spellcheck={false}
        disabled={!mayWrite.value}
        value={shownText}
        onInput={(event) => {
          if (text === undefined) setFrom(doc);
          setText(event.currentTarget.value);
          setError(problemOf(event.currentTarget.value));
        }}
      />
      {error && (
        <p class="field-error" role="alert">
          {error}
        </p>
      )}
      {text !== undefined && from !== doc && (
        <p class="hint">It was changed elsewhere meanwhile. Saving merges both, field by field.</p>
      )}
      <div class="dialog-actions">
        <button class="quiet" disabled={text === undefined} onClick={() => (setText(undefined), setError(""))}>
          Discard
        </button>
        <button class="primary" disabled={text === undefined || Boolean(error)} onClick={() => void save()}>
          Save
        </button>
      </div>
    </div>
  );
}

function problemOf(text: string): string {
  try {
    parse(text);
    return "";
  } catch (error) {
    return sentence(error);
  }
}

function pretty(doc: Document): string {
  const { id, ...rest } = doc;
  const keys = Object.keys(rest).sort();
  return JSON.stringify({ id, ...Object.fromEntries(keys.map((key) => [key, rest[key]])) }, null, 2);
}

