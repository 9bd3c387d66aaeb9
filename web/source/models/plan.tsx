/** What a pull would take, before a byte moves. */
import { Alert, Button, Group, List, Modal, Stack, Table, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, told, type Schemas } from "../api/client";
import { bytes } from "../parts/numbers";
import { Failed, Loaded } from "../parts/states";

type Plan = Schemas["Plan"];

export function PlanDialog({ reference, close }: { reference: string; close: () => void }) {
  const queries = useQueryClient();
  const plan = useQuery({
    queryKey: ["plan", reference],
    queryFn: () => told(api.POST("/admin/library/plan", { body: request(reference) })),
  });
  const started = useMutation({
    mutationFn: (tight: boolean) =>
      told(api.POST("/admin/pulls", { body: { ...request(reference), accept_tight_disk: tight } })),
    onSuccess: async () => {
      await Promise.all(["pulls", "models"].map((key) => queries.invalidateQueries({ queryKey: [key] })));
      close();
    },
  });
  return (
    <Modal opened onClose={close} size="lg" title="What this would take" closeButtonProps={{ "aria-label": "Close" }}>
      <Loaded query={plan}>
        {(told) => {
          const refused = told.disk.outcome === "refused" || told.compatibility.verdict === "incompatible";
          const tight = told.disk.outcome === "tight";
          return (
            <Stack>
              <Facts plan={told} />
              {tight && <Alert color="orange">The disk will be nearly full afterwards.</Alert>}
              {started.isError && <Failed error={started.error} />}
              <Group justify="flex-end">
                <Button variant="default" onClick={close}>
                  Cancel
                </Button>
                <Button disabled={refused} loading={started.isPending} onClick={() => started.mutate(tight)}>
                  {told.fetch_bytes > 0 ? `Download ${bytes(told.fetch_bytes)}` : "Add to this machine"}
                </Button>
              </Group>
            </Stack>
          );
        }}
      </Loaded>
    </Modal>
  );
}

function request(reference: string) {
  return { reference, skip_check: false, force: false, pin: false };
}

function Facts({ plan }: { plan: Plan }) {
  const { verdict, reasons = [] } = plan.compatibility;
  const runs = { compatible: "It runs here.", incompatible: "It will not run here.", unknown: "Nobody can tell whether it runs." };
  return (
    <>
      <Text fw={600} style={{ overflowWrap: "anywhere" }}>
        {plan.name}
      </Text>
      <Text size="sm">
        {plan.source} · {plan.framework} · {plan.license ?? "no licence told"} · {bytes(plan.total_bytes)}
        {plan.here_bytes > 0 && `, ${bytes(plan.here_bytes)} of it here already`}
        {plan.gated && " · needs access"}
      </Text>
      <Text size="sm">
        {runs[verdict]} The disk has {bytes(plan.disk.free_bytes)} free.
      </Text>
      {(reasons.length > 0 || (plan.warnings ?? []).length > 0) && (
        <List size="sm">
          {[...reasons, ...(plan.warnings ?? [])].map((line) => (
            <List.Item key={line}>{line}</List.Item>
          ))}
        </List>
      )}
      {plan.memory.length > 0 && (
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Context</Table.Th>
              <Table.Th ta="right">Memory at most</Table.Th>
              <Table.Th>Of {bytes(plan.memory_budget_bytes)}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {plan.memory.map((step) => (
              <Table.Tr key={step.context}>
                <Table.Td>{step.context.toLocaleString("en")} tokens</Table.Td>
                <Table.Td ta="right">{bytes(step.peak_bytes)}</Table.Td>
                <Table.Td>{step.fits ? "fits" : "does not fit"}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </>
  );
}
