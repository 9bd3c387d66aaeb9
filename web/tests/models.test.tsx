import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { fireEvent, render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import { written } from "../source/models/compare";
import { Installed } from "../source/models/installed";
import type { Model } from "../source/models/library";

const EVIL = "org/<img src=x onerror=alert(1)>";

function model(name: string, origin: Model["origin"] = "pulled"): Model {
  const capabilities = { text: true, vision: false, embeddings: false, tools: true, streaming: true, thinking: false };
  return {
    name,
    family: "qwen",
    format: "mlx",
    size: 1e9,
    parameters: 1e9,
    quantization: null,
    context_window: 4096,
    max_output_tokens: 4096,
    modified_at: "2026-01-01T00:00:00Z",
    capabilities,
    source: "huggingface",
    revision: null,
    status: "available",
    origin,
  } as Model;
}

function shown(models: Model[], ticked: string[] = [], compare = () => undefined) {
  const queries = new QueryClient();
  queries.setQueryDefaults(["models"], { staleTime: Infinity });
  queries.setQueryData(["models"], models);
  const tick = vi.fn();
  const { container } = render(
    <MantineProvider>
      <QueryClientProvider client={queries}>
        <Installed ticked={ticked} tick={tick} compare={compare} />
      </QueryClientProvider>
    </MantineProvider>,
  );
  return { container, tick };
}

test("of five hundred models those in sight are in the page, and any is found by a word", () => {
  const { container } = shown(Array.from({ length: 500 }, (_, index) => model(`org/model-${index}`)));
  expect(screen.getByRole("table").getAttribute("aria-rowcount")).toBe("501");
  expect(container.querySelectorAll("tbody tr").length).toBeLessThan(40);
  fireEvent.change(screen.getByRole("textbox", { name: "Find one of 500" }), { target: { value: "MLX model-499" } });
  expect(screen.getByText("org/model-499")).toBeTruthy();
  expect(container.querySelectorAll("tbody tr")).toHaveLength(1);
  fireEvent.change(screen.getByRole("textbox", { name: "Find one of 500" }), { target: { value: "nowhere" } });
  expect(screen.getByText("No model here has this in its name.")).toBeTruthy();
});

test("adopted models are marked, built-in ones cannot be removed, and names stay text", () => {
  const { container } = shown([model("pony", "builtin"), model("llama", "adopted"), model(EVIL)]);
  expect(screen.getByText("adopted").closest("[title]")?.getAttribute("title")).toContain("Another program keeps");
  expect(screen.queryByRole("button", { name: "Remove pony" })).toBeNull();
  expect(screen.getByRole("button", { name: `Remove ${EVIL}` })).toBeTruthy();
  expect(container.querySelector("img")).toBeNull();
});

test("two to four ticked models are compared", () => {
  const compare = vi.fn();
  const names = ["a", "b", "c", "d", "e"];
  const { tick } = shown(names.map((name) => model(name)), ["a", "b"], compare);
  fireEvent.click(screen.getByRole("button", { name: "Compare 2" }));
  expect(compare).toHaveBeenCalledOnce();
  fireEvent.click(screen.getByRole("checkbox", { name: "Tick c" }));
  expect(tick).toHaveBeenCalledWith(["a", "b", "c"]);
});

test("too many ticked models are not", () => {
  shown(["a", "b", "c", "d", "e"].map((name) => model(name)), ["a", "b", "c", "d", "e"]);
  expect(screen.getByRole("button", { name: "Compare at most 4" }).hasAttribute("disabled")).toBe(true);
});

test("cells of a comparison are told as people read them", () => {
  expect([written("size", 2e9), written("context_window", 32768), written("tools", false), written("license", null)]).toEqual([
    "2.0 GB",
    "32,768",
    "no",
    "–",
  ]);
});
