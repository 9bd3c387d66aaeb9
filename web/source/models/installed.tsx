/** Models on this disk. Of many only the rows in sight are in the page. */
import { Badge, Button, Checkbox, Group, Modal, Stack, Text, TextInput, VisuallyHidden } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, told } from "../api/client";
import { bytes, many } from "../parts/numbers";
import { Section } from "../parts/section";
import { Empty, Failed, Loaded } from "../parts/states";
import { rowsInSight, useScrolled } from "../parts/windowed";
import { COMPARED_MAX } from "./compare";
import classes from "./installed.module.css";
import { DISK, useModels, type Model } from "./library";
import { VerifyDialog } from "./verify";

const ROW = 60; // pixels
const FEW = 8; // models that need no field to be found
const COLUMNS = ["Name", "Family", "Format", "Size", "Parameters", "Context", "Can", "Last used"];

interface Ticks {
  ticked: string[];
  tick: (names: string[]) => void;
  compare: () => void;
}

export function Installed({ ticked, tick, compare }: Ticks) {
  const models = useModels();
  const [words, setWords] = useState("");
  const [removing, setRemoving] = useState<Model | null>(null);
  const [verifying, setVerifying] = useState<Model | null>(null);
  return (
    <Section name="On this machine">
      <Loaded query={models}>
        {(all) => {
          if (all.length === 0) return <Empty>No models yet. Search for one below.</Empty>;
          const found = all.filter((model) => isFound(model, words));
          return (
            <>
              <Group gap="xs" align="flex-end">
                {all.length > FEW && (
                  <TextInput
                    flex="1 1 14rem"
                    maw="40rem"
                    label={`Find one of ${all.length}`}
                    value={words}
                    onChange={(event) => setWords(event.currentTarget.value)}
                  />
                )}
                <Button variant="default" disabled={ticked.length < 2 || ticked.length > COMPARED_MAX} onClick={compare}>
                  {ticked.length > COMPARED_MAX ? `Compare at most ${COMPARED_MAX}` : `Compare ${ticked.length || ""}`}
                </Button>
              </Group>
              {found.length === 0 ? (
                <Empty>No model here has this in its name.</Empty>
              ) : (
                <Rows
                  models={found}
                  ticked={ticked}
                  tick={(name, on) => tick(on ? [...ticked, name] : ticked.filter((other) => other !== name))}
                  verify={setVerifying}
                  remove={setRemoving}
                />
              )}
            </>
          );
        }}
      </Loaded>
      {removing && <Remove model={removing} close={() => setRemoving(null)} />}
      {verifying && <VerifyDialog model={verifying} close={() => setVerifying(null)} />}
    </Section>
  );
}

function isFound(model: Model, words: string): boolean {
  const told = `${model.name} ${model.family} ${model.format} ${model.origin}`.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => told.includes(word));
}

interface RowsProps {
  models: Model[];
  ticked: string[];
  tick: (name: string, on: boolean) => void;
  verify: (model: Model) => void;
  remove: (model: Model) => void;
}

function Rows({ models, ticked, tick, verify, remove }: RowsProps) {
  const { box, top, height } = useScrolled();
  const { first, last } = rowsInSight(top, height, ROW, models.length);
  return (
    <div ref={box} className={classes.box} tabIndex={0} role="region" aria-label="Models on this machine">
      <table className={classes.table} aria-rowcount={models.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col" className={classes.tick}>
              <VisuallyHidden>Ticked</VisuallyHidden>
            </th>
            {COLUMNS.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
            <th scope="col">
              <VisuallyHidden>Actions</VisuallyHidden>
            </th>
          </tr>
        </thead>
        <tbody>
          {first > 0 && <Space rows={first} />}
          {models.slice(first, last).map((model, index) => (
            <Row
              key={model.name}
              index={first + index + 2}
              model={model}
              ticked={ticked.includes(model.name)}
              tick={(on) => tick(model.name, on)}
              verify={() => verify(model)}
              remove={() => remove(model)}
            />
          ))}
          {last < models.length && <Space rows={models.length - last} />}
        </tbody>
      </table>
    </div>
  );
}

/** Where rows would be that are out of sight. */
function Space({ rows }: { rows: number }) {
  return (
    <tr aria-hidden style={{ height: rows * ROW }}>
      <td colSpan={COLUMNS.length + 2} className={classes.space} />
    </tr>
  );
}

interface RowProps {
  index: number;
  model: Model;
  ticked: boolean;
  tick: (on: boolean) => void;
  verify: () => void;
  remove: () => void;
}

function Row({ index, model, ticked, tick, verify, remove }: RowProps) {
  const can = Object.entries(model.capabilities).flatMap(([name, able]) => (able && name !== "streaming" ? [name] : []));
  return (
    <tr aria-rowindex={index} style={{ height: ROW }}>
      <td>
        <Checkbox
          size="xs"
          aria-label={`Tick ${model.name}`}
          checked={ticked}
          onChange={(event) => tick(event.currentTarget.checked)}
        />
      </td>
      <td title={model.name}>
        <Text size="sm" fw={600} lineClamp={model.origin === "pulled" ? 2 : 1} className={classes.anywhere}>
          {model.name}
        </Text>
        {model.origin !== "pulled" && (
          <Badge size="xs" variant="default" tt="none" title={ORIGINS[model.origin ?? ""]}>
            {model.origin === "builtin" ? "built in" : model.origin}
          </Badge>
        )}
      </td>
      <td title={model.family}>{model.family}</td>
      <td>
        {model.format} {model.quantization && <Text span c="dimmed" size="sm">{model.quantization}</Text>}
      </td>
      <td>{bytes(model.size)}</td>
      <td>{many(model.parameters)}</td>
      <td>{model.context_window.toLocaleString("en")}</td>
      <td title={can.join(", ")}>
        <Text size="sm" lineClamp={2} className={classes.anywhere}>
          {can.join(", ")}
        </Text>
      </td>
      <td>{model.last_used_at ? new Date(model.last_used_at).toLocaleString() : "never"}</td>
      <td>
        <Group gap={4} wrap="nowrap" justify="flex-end">
          <Button size="compact-sm" variant="default" onClick={verify} aria-label={`Verify ${model.name}`}>
            Verify
          </Button>
          {model.origin !== "builtin" && (
            <Button size="compact-sm" variant="default" onClick={remove} aria-label={`Remove ${model.name}`}>
              Remove
            </Button>
          )}
        </Group>
      </td>
    </tr>
  );
}

const ORIGINS: Record<string, string> = {
  adopted: "Another program keeps its files; they are used where they lie.",
  builtin: "It came with Paddock.",
};

function Remove({ model, close }: { model: Model; close: () => void }) {
  const queries = useQueryClient();
  const removed = useMutation({
    mutationFn: () =>
      told(
        api.DELETE("/admin/library/models/{name}", {
          params: { path: { name: model.name }, query: { adopted: model.origin === "adopted" } },
        }),
      ),
    onSuccess: async () => {
      await Promise.all(DISK.map((queryKey) => queries.invalidateQueries({ queryKey })));
      close();
    },
  });
  return (
    <Modal opened onClose={close} title="Remove this model?" closeButtonProps={{ "aria-label": "Close" }}>
      <Stack>
        <Text style={{ overflowWrap: "anywhere" }}>
          {model.name} ({bytes(model.size)}) is removed from this disk.
          {model.origin === "adopted" && " Another program keeps it: it will be gone there, too."}
        </Text>
        {removed.isError && <Failed error={removed.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Keep
          </Button>
          <Button color="red" loading={removed.isPending} onClick={() => removed.mutate()}>
            Remove
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
