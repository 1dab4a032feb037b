/** A page that is loaded when somebody goes there for the first time. */

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";

import { sentence } from "../ui/sentences.ts";

export function later(load: () => Promise<ComponentType>): ComponentType {
  let loaded: ComponentType | undefined;
  return function Later() {
    const [Page, setPage] = useState<ComponentType | undefined>(() => loaded);
    const [error, setError] = useState("");
    useEffect(() => {
      if (Page) return;
      load().then(
        (found) => setPage(() => (loaded = found)),
        (failure: unknown) => setError(sentence(failure)),
      );
    }, []);
    if (Page) return <Page />;
    return error ? <p class="field-error page-error">{error}</p> : <p class="empty">One moment …</p>;
  };
}
