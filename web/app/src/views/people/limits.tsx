/** The limits of one person or space that are other than the settings say. */

import { useState } from "preact/hooks";

import { Dialog } from "../../ui/dialog.tsx";
import { change, useLoaded, Waiting } from "./loaded.tsx";

export type Limits = Readonly<Record<string, number>>;

interface Properties {
  /** Whose: `/admin/users/u1`. */
  readonly path: string;
  readonly name: string;
  readonly overrides: Limits;
  readonly again: () => void;
}

export function LimitsButton(properties: Properties) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button class="quiet small" aria-label={`Limits of ${properties.name}`} onClick={() => setOpen(true)}>
        Limits
      </button>
      {open && <LimitsDialog {...properties} close={() => setOpen(false)} />}
    </>
  );
}

function LimitsDialog({ path, name, overrides, again, close }: Properties & { readonly close: () => void }) {
  const server = useLoaded<{ limits: Limits }>("/admin");
  const its = useLoaded<{ limits: Limits }>(path);
  const save = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const limits = Object.fromEntries(
      [...fields].flatMap(([limit, value]) => (String(value).trim() === "" ? [] : [[limit, Number(value)]])),
    );
    if (await change("PUT", `${path}/limits`, { limits }, "The limits are saved.", again)) close();
  };
  return (
    <Dialog title={`Limits of ${name}`} onClose={close}>
      <p class="hint">An empty field is what the server's settings say; 0 is no limit.</p>
      <Waiting of={its}>
        <form onSubmit={(event) => void save(event)}>
          <div class="limits">
            {Object.keys(its.value?.limits ?? {}).map((limit) => (
              <label key={limit}>
                <span>{limit.replaceAll("_", " ")}</span>
                <input name={limit} type="number" min="0" step="1" defaultValue={overrides[limit] ?? ""} placeholder={String(server.value?.limits[limit] ?? "")} />
              </label>
            ))}
          </div>
          <div class="dialog-actions">
            <button type="button" class="quiet" onClick={close}>
              Cancel
            </button>
            <button class="primary">Save</button>
          </div>
        </form>
      </Waiting>
    </Dialog>
  );
}
