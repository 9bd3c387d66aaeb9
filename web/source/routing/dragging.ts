/** Rows that are put into another order: by dragging a handle (mouse, pen or finger), or with the arrow keys on it. */
import { useRef, useState, type KeyboardEvent, type PointerEvent } from "react";

export interface Dragged {
  from: number;
  to: number;
}

/** `move(from, to)` is called once, when it is let go somewhere else. Rows are the children of the element that gets `list`. */
export function useDragging(move: (from: number, to: number) => void) {
  const list = useRef<HTMLOListElement>(null);
  const [dragged, setDragged] = useState<Dragged | null>(null);

  function placeAt(y: number): number {
    const rows = [...(list.current?.children ?? [])].filter((row) => row instanceof HTMLElement && "row" in row.dataset);
    const above = rows.filter((row) => {
      const { top, height } = row.getBoundingClientRect();
      return y > top + height / 2;
    });
    return above.length;
  }

  /** Where it ends up among the others when it is let go at `y`. */
  function target(from: number, y: number): number {
    const place = placeAt(y);
    return place > from ? place - 1 : place;
  }

  function handle(index: number, count: number) {
    return {
      onPointerDown(event: PointerEvent<HTMLElement>) {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        setDragged({ from: index, to: index });
      },
      onPointerMove(event: PointerEvent<HTMLElement>) {
        if (dragged === null) return;
        const to = target(dragged.from, event.clientY);
        if (to !== dragged.to) setDragged({ ...dragged, to });
      },
      onPointerUp() {
        if (dragged !== null && dragged.from !== dragged.to) move(dragged.from, dragged.to);
        setDragged(null);
      },
      onPointerCancel: () => setDragged(null),
      onKeyDown(event: KeyboardEvent<HTMLElement>) {
        if (event.key === "Escape") setDragged(null);
        const to = index + ({ ArrowUp: -1, ArrowDown: 1 }[event.key] ?? 0);
        if (to === index || to < 0 || to >= count) return;
        event.preventDefault();
        move(index, to);
      },
    };
  }

  return { list, dragged, handle };
}
