import { MantineProvider } from "@mantine/core";
import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { Rendered } from "../source/parts/markdown";

function shown(text: string): HTMLElement {
  return render(
    <MantineProvider>
      <div data-testid="here">
        <Rendered text={text} />
      </div>
    </MantineProvider>,
  ).getByTestId("here");
}

test("Markdown becomes lists, code and tables", () => {
  const here = shown("- one\n- two\n\n```js\nlet a;\n```\n\n|a|b|\n|-|-|\n|c|d|");
  expect(here.querySelectorAll("li")).toHaveLength(2);
  expect(here.querySelector("pre code")?.textContent).toBe("let a;\n");
  expect(here.querySelectorAll("td")).toHaveLength(2);
  expect(screen.getByRole("button", { name: "Copy this code" })).toBeTruthy();
});

test("HTML, scripts in links and pictures from elsewhere stay text", () => {
  const here = shown("<img src=x onerror=alert(1)> [a](javascript:alert(1)) ![b](http://192.0.2.1/c.png)");
  expect(here.querySelectorAll("img, script")).toHaveLength(0);
  expect(here.textContent).toContain("<img src=x onerror=alert(1)>");
  expect(here.textContent).toContain("[b: http://192.0.2.1/c.png]");
  expect([...here.querySelectorAll("a")].map((link) => link.getAttribute("href"))).not.toContain("javascript:alert(1)");
});
