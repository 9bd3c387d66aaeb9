import { MantineProvider } from "@mantine/core";
import { render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { Boundary } from "../source/parts/boundary";

function Broken(): never {
  throw new Error("its file is gone");
}

test("a page that breaks says so, and the next one is shown", () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined); // React tells of it, too
  const within = (place: string, page: React.ReactNode) => (
    <MantineProvider>
      <Boundary place={place}>{page}</Boundary>
    </MantineProvider>
  );
  const { rerender } = render(within("/models", <Broken />));
  expect(screen.getByRole("button", { name: "Load it again" })).toBeTruthy();
  rerender(within("/memory", <p>all is well</p>));
  expect(screen.getByText("all is well")).toBeTruthy();
});
