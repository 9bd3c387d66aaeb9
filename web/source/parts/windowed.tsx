/** A long list of rows of one height, of which only those in sight are in the page. */
import { useLayoutEffect, useRef, useState, type ReactNode } from "react";
import classes from "./windowed.module.css";

const BEYOND = 8; // rows above and below, so that Tab and a quick scroll find something

/** Which rows of `count` are to be drawn. */
export function rowsInSight(top: number, height: number, row: number, count: number): { first: number; last: number } {
  const first = Math.max(0, Math.min(count, Math.floor(top / row) - BEYOND));
  const last = Math.min(count, Math.ceil((top + height) / row) + BEYOND);
  return { first, last: Math.max(first, last) };
}

/** Where a scrolled box stands, as far as drawing rows goes. */
export function useScrolled() {
  const box = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState({ top: 0, height: 800 });
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const look = () => setPlace({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    look();
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);
  return { box, ...place };
}

interface Props<T> {
  name: string;
  items: T[];
  row: number; // pixels
  total?: number; // when more than `items` are to come; -1 when nobody knows how many
  keyOf: (item: T) => string;
  draw: (item: T) => ReactNode;
  nearEnd?: () => void;
}

export function Windowed<T>({ name, items, row, total = items.length, keyOf, draw, nearEnd }: Props<T>) {
  const { box, top, height } = useScrolled();
  const { first, last } = rowsInSight(top, height, row, items.length);
  const near = last >= items.length - 1;
  useLayoutEffect(() => {
    if (near) nearEnd?.();
  }, [near, nearEnd]);
  return (
    <div ref={box} className={classes.box} tabIndex={0} role="region" aria-label={name}>
      <div role="list" aria-label={name} className={classes.rows} style={{ height: items.length * row }}>
        {items.slice(first, last).map((item, index) => (
          <div
            key={keyOf(item)}
            role="listitem"
            aria-posinset={first + index + 1}
            aria-setsize={total}
            className={classes.row}
            style={{ top: (first + index) * row, height: row }}
          >
            {draw(item)}
          </div>
        ))}
      </div>
    </div>
  );
}
