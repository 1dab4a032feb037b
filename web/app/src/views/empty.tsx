/** What is shown in the place of nothing. */

import { engine, filter, mayWrite } from "../state.ts";

export function Empty() {
  const { loaded, status } = engine.value!;
  if (!loaded.value || (status.value.state === "starting" && status.value.agreedAt === 0))
    return <p class="empty">Fetching what there is …</p>;
  if (filter.value)
    return (
      <div class="empty">
        <p class="empty-title">Nothing fits</p>
        <p>
          No task fits <q>{filter.value}</q>.
        </p>
        <button class="quiet" onClick={() => (filter.value = "")}>
          Show all
        </button>
      </div>
    );
  return (
    <div class="empty">
      <p class="empty-title">All done</p>
      <p>{mayWrite.value ? "What you add above is here at once, and on your other devices a moment later." : "There is nothing to do here."}</p>
    </div>
  );
}
