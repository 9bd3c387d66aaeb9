import { MantineProvider } from "@mantine/core";
import { render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { rowsInSight, Windowed } from "../source/parts/windowed";

test("only rows in sight are drawn, with some beyond for the keyboard", () => {
  expect(rowsInSight(0, 100, 10, 1000)).toEqual({ first: 0, last: 18 });
  expect(rowsInSight(5000, 100, 10, 1000)).toEqual({ first: 492, last: 518 });
  expect(rowsInSight(9900, 100, 10, 1000)).toEqual({ first: 982, last: 1000 });
  expect(rowsInSight(9900, 100, 10, 3)).toEqual({ first: 3, last: 3 }); // the list has become shorter
  expect(rowsInSight(0, 100, 10, 0)).toEqual({ first: 0, last: 0 });
});

test("a list of ten thousand says how long it is and holds a screenful", () => {
  const items = Array.from({ length: 10_000 }, (_, index) => `row ${index}`);
  const nearEnd = vi.fn();
  render(
    <MantineProvider>
      <Windowed name="Rows" items={items} row={36} keyOf={(item) => item} draw={(item) => item} nearEnd={nearEnd} />
    </MantineProvider>,
  );
  const rows = screen.getAllByRole("listitem");
  expect(rows.length).toBeLessThan(60);
  expect(rows[0]?.getAttribute("aria-setsize")).toBe("10000");
  expect(rows[1]?.getAttribute("aria-posinset")).toBe("2");
  expect(nearEnd).not.toHaveBeenCalled();
});
