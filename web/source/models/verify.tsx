/** Whether a model's files still are what their source said: read again while somebody watches. */
import { Button, Group, List, Modal, Progress, Stack, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, told } from "../api/client";
import { Failed } from "../parts/states";
import { verify, type FileCheck, type Model } from "./library";

export function VerifyDialog({ model, close }: { model: Model; close: () => void }) {
  const queries = useQueryClient();
  const [run, setRun] = useState({ number: 0, repair: false });
  const [checks, setChecks] = useState<FileCheck[]>([]);
  const [done, setDone] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const record = useQuery({
    queryKey: ["record", model.name],
    queryFn: () => told(api.GET("/admin/library/models/{name}", { params: { path: { name: model.name } } })),
  });

  useEffect(() => {
    const leaving = new AbortController();
    setChecks([]);
    setDone(false);
    setError(null);
    async function read() {
      try {
        for await (const check of verify(model.name, run.repair, leaving.signal)) {
          setChecks((before) => [...before.filter(({ path }) => path !== check.path), check]);
        }
        setDone(true);
        await queries.invalidateQueries({ queryKey: ["models"] });
      } catch (failure) {
        if (!leaving.signal.aborted) setError(failure);
      }
    }
    void read();
    return () => leaving.abort();
  }, [model.name, run, queries]);

  const total = record.data?.files.length ?? 0;
  const bad = checks.filter(({ outcome }) => outcome !== "ok" && outcome !== "size_only");
  const sized = checks.filter(({ outcome }) => outcome === "size_only");
  return (
    <Modal opened onClose={close} title="Verify this model" closeButtonProps={{ "aria-label": "Close" }}>
      <Stack>
        <Text style={{ overflowWrap: "anywhere" }}>{model.name}</Text>
        <Progress value={done ? 100 : total > 0 ? (100 * checks.length) / total : 0} aria-label={`Files of ${model.name} read`} />
        <Text size="sm" role="status">
          {done ? verdict(checks.length, bad.length, sized.length) : `Reading: ${checks.length} of ${total || "some"} files`}
        </Text>
        {bad.length > 0 && (
          <List size="sm">
            {bad.map((check) => (
              <List.Item key={check.path} style={{ overflowWrap: "anywhere" }}>
                {check.problem ?? `${check.path}: ${check.outcome}`}
              </List.Item>
            ))}
          </List>
        )}
        {error !== null && <Failed error={error} retry={() => setRun({ number: run.number + 1, repair: run.repair })} />}
        <Group justify="flex-end">
          {done && bad.length > 0 && model.origin === "pulled" && (
            <Button onClick={() => setRun({ number: run.number + 1, repair: true })}>Fetch the bad files again</Button>
          )}
          <Button variant="default" onClick={close}>
            {done ? "Close" : "Stop"}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function verdict(files: number, bad: number, sized: number): string {
  const counted = `${files} ${files === 1 ? "file" : "files"}`;
  if (bad > 0) return `${bad} of ${counted} ${bad === 1 ? "is" : "are"} not what they should be.`;
  return `All ${counted} are as they should be.${sized > 0 ? ` Of ${sized} only the size is known.` : ""}`;
}
