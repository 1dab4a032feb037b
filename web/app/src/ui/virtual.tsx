/** A long list of which only what can be seen is there. */

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

interface Properties<T> {
  readonly items: readonly T[];
  readonly height: (item: T) => number;
  readonly keyOf: (item: T) => string;
  readonly row: (item: T, place: number) => ComponentChildren;
  /** The place that is to be seen. */
  readonly shows?: number;
  readonly label: string;
}

/** Pixels beyond the edges that are there already. */
const AHEAD = 400;
/** What is drawn before the place that there is has been measured. */
const FIRST = { top: 0, height: 800, ahead: 0 };

export function VirtualList<T>({ items, height, keyOf, row, shows, label }: Properties<T>) {
  const box = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState(FIRST);
  const tops = useMemo(() => {
    const found = new Float64Array(items.length + 1);
    for (let place = 0; place < items.length; place += 1) found[place + 1] = found[place] + height(items[place]);
    return found;
  }, [items, height]);

  useEffect(() => {
    const element = box.current!;
    const measure = (): void => setRange({ top: element.scrollTop, height: element.clientHeight, ahead: AHEAD });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    measure();
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);

  useLayoutEffect(() => {
    if (shows === undefined || shows < 0 || shows >= items.length) return;
    const element = box.current!;
    const [top, bottom] = [tops[shows], tops[shows + 1]];
    if (top < element.scrollTop) element.scrollTop = top - 8;
    else if (bottom > element.scrollTop + element.clientHeight) element.scrollTop = bottom - element.clientHeight + 8;
  }, [shows]);

  const first = placeAt(tops, range.top - range.ahead);
  const last = Math.min(items.length, placeAt(tops, range.top + range.height + range.ahead) + 1);
  return (
    <div class="scroll" ref={box} tabIndex={-1}>
      <ul class="virtual" aria-label={label} style={{ height: `${tops[items.length]}px` }}>
        {items.slice(first, last).map((item, offset) => {
          const place = first + offset;
          return (
            <li
              key={keyOf(item)}
              aria-setsize={items.length}
              aria-posinset={place + 1}
              style={{ transform: `translateY(${tops[place]}px)`, height: `${height(item)}px` }}
            >
              {row(item, place)}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

/** The last place that begins at or before this height. */
function placeAt(tops: Float64Array, at: number): number {
  let [low, high] = [0, Math.max(0, tops.length - 2)];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (tops[middle] <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}
