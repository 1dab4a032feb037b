/** The filter: words as in `hypertask list`, while one types. */

import { filter } from "../state.ts";
import { Icon } from "../ui/icons.tsx";

export function SearchField() {
  return (
    <div class="search">
      <Icon name="search" />
      <input
        id="search"
        type="search"
        value={filter.value}
        onInput={(event) => (filter.value = event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.preventDefault();
          filter.value = "";
          event.currentTarget.blur();
        }}
        placeholder="Search or filter: milk +errand due.before:friday"
        aria-label="Search or filter"
        autocomplete="off"
        spellcheck={false}
        dir="auto"
      />
    </div>
  );
}
