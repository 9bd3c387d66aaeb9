import { Code, Stack, Table, Text } from "@mantine/core";
import type { Schemas } from "../api/client";
import { Scrolled } from "../parts/scrolled";
import { Ticked } from "../parts/ticked";

type Replay = Schemas["Replay"];
type Group = Replay["groups"][number];
const AT_ONCE = 100;

/** What became of the requests, alike ones together, the largest group first. */
export function Replayed({ found }: { found: Replay }) {
  const { requests, same, moved, nobody, undecided } = found;
  return (
    <Stack gap="xs" component="section" aria-label="What would go elsewhere" aria-live="polite">
      <Text size="sm">
        {requests === 0
          ? "Nobody asked for a model in that time."
          : [
              `${count(requests, "request")}: ${same.toLocaleString("en")} as before`,
              `${moved.toLocaleString("en")} elsewhere`,
              `${nobody.toLocaleString("en")} nowhere`,
              `${undecided.toLocaleString("en")} cannot be told`,
            ].join(" · ")}
        {!found.is_whole && " Only the latest were looked at."}
      </Text>
      {found.cost.requests > 0 && (
        <Text size="sm">
          {count(found.cost.requests, "request")} with known prices cost {money(found.cost.before_nanos)}, and would cost{" "}
          {money(found.cost.after_nanos)}.
        </Text>
      )}
      {found.groups.length > 0 && (
        <Scrolled name="Requests that would go elsewhere">
          <Table miw="36rem">
            <Table.Thead>
              <Table.Tr>
                <Table.Th ta="right">Requests</Table.Th>
                <Table.Th>Asked for</Table.Th>
                <Table.Th>Answered by</Table.Th>
                <Table.Th>Would be answered by</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {found.groups.slice(0, AT_ONCE).map((group, index) => (
                <Row key={index} group={group} />
              ))}
            </Table.Tbody>
          </Table>
        </Scrolled>
      )}
      {found.groups.length > AT_ONCE && <Text size="sm">and {found.groups.length - AT_ONCE} smaller groups</Text>}
    </Stack>
  );
}

function Row({ group }: { group: Group }) {
  const { outcome } = group;
  return (
    <Table.Tr style={{ overflowWrap: "anywhere" }}>
      <Table.Td ta="right">{group.count.toLocaleString("en")}</Table.Td>
      <Table.Td>
        <Code>{group.asked_model}</Code>
      </Table.Td>
      <Table.Td>{named(group.before)}</Table.Td>
      <Table.Td>
        {outcome.fate === "undecided" ? "cannot be told" : named(outcome.after ?? null)}
        {outcome.reason && (
          <Text size="sm" c="dimmed">
            <Ticked text={outcome.reason} />
          </Text>
        )}
        {group.also_now && (
          <Text size="sm" c="dimmed">
            by the rules that hold now, too
          </Text>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function named(answerer: Group["before"]): string {
  if (answerer === null) return "nobody";
  return answerer.provider === "local" ? answerer.model : `${answerer.model} at ${answerer.provider}`;
}

function count(requests: number, word: string): string {
  return `${requests.toLocaleString("en")} ${word}${requests === 1 ? "" : "s"}`;
}

/** In whatever currency prices are counted in. */
function money(nanos: number): string {
  return (nanos / 1e9).toLocaleString("en", { maximumSignificantDigits: 3 });
}
