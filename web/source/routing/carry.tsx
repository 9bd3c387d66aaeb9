/** All rules as a file, and back: what an import would do is shown before it is done. */
import { Button, FileButton, Group, List, Modal, Stack, Switch, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, told, type Schemas } from "../api/client";
import { Failure } from "../api/failure";
import { save } from "../parts/save";
import { Failed, Loaded } from "../parts/states";
import { RULES } from "./rules";

type RuleFile = Pick<Schemas["ImportBody"], "paddock_rules" | "rules">;

export function Carry() {
  const [file, setFile] = useState<File | null>(null);
  const exported = useMutation({
    mutationFn: () => told(api.GET("/admin/routes/export")),
    onSuccess: (document) => save("paddock-rules.json", JSON.stringify(document, null, 2)),
  });
  return (
    <>
      <FileButton accept="application/json,.json" onChange={setFile} inputProps={{ "aria-label": "A file of rules" }}>
        {(props) => (
          <Button {...props} size="xs" variant="default">
            Import
          </Button>
        )}
      </FileButton>
      <Button size="xs" variant="default" loading={exported.isPending} onClick={() => exported.mutate()}>
        Export
      </Button>
      {exported.isError && <Failed error={exported.error} />}
      {file && <ImportDialog file={file} close={() => setFile(null)} />}
    </>
  );
}

function ImportDialog({ file, close }: { file: File; close: () => void }) {
  const queries = useQueryClient();
  const [replacing, setReplacing] = useState(false);
  const send = async (dry_run: boolean) =>
    told(api.POST("/admin/routes/import", { body: { ...(await readRules(file)), replace_all: replacing, dry_run } }));
  const preview = useQuery({ queryKey: ["import", file.name, file.lastModified, replacing], gcTime: 0, queryFn: () => send(true) });
  const done = useMutation({
    mutationFn: () => send(false),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: RULES });
      close();
    },
  });
  return (
    <Modal opened onClose={close} title={`Import ${file.name.slice(0, 80)}`} closeButtonProps={{ "aria-label": "Close" }}>
      <Stack>
        <Switch
          label="Rules that are not in the file go"
          checked={replacing}
          onChange={(event) => setReplacing(event.currentTarget.checked)}
        />
        <Loaded query={preview}>{(found) => <Changes changes={found} />}</Loaded>
        {done.isError && <Failed error={done.error} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button disabled={!preview.isSuccess} loading={done.isPending} onClick={() => done.mutate()}>
            Import
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Changes({ changes }: { changes: Schemas["RulesImported"] }) {
  const lines = [
    ["new", changes.added],
    ["changed", changes.changed],
    ["gone", changes.removed],
  ] as const;
  if (lines.every(([, names]) => names.length === 0)) return <Text size="sm">Nothing would change.</Text>;
  return (
    <List size="sm" style={{ overflowWrap: "anywhere" }}>
      {lines.map(
        ([what, names]) =>
          names.length > 0 && (
            <List.Item key={what}>
              {names.length} {what}: {names.slice(0, 20).join(", ")}
              {names.length > 20 && ", …"}
            </List.Item>
          ),
      )}
    </List>
  );
}

async function readRules(file: File): Promise<RuleFile> {
  try {
    const { paddock_rules, rules } = JSON.parse(await file.text()) as RuleFile;
    return { paddock_rules, rules };
  } catch {
    throw new Failure("This is no file of rules.", "Export writes one.", 400);
  }
}
