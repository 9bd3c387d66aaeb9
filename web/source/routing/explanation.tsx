/** One decision: who answers, in which order, what led there, and why no one else. */
import { Alert, Badge, Code, Group, List, Stack, Table, Text } from "@mantine/core";
import type { Schemas } from "../api/client";
import { Scrolled } from "../parts/scrolled";
import { Ticked } from "../parts/ticked";

type Explanation = Schemas["Explanation"];

export function Explained({ found }: { found: Explanation }) {
  return (
    <Stack gap="sm" style={{ overflowWrap: "anywhere" }}>
      {found.targets.length === 0 ? (
        <Alert color="orange" title={found.error ?? "Nobody would answer."}>
          {found.hint && <Ticked text={found.hint} />}
        </Alert>
      ) : (
        <Targets targets={found.targets} />
      )}
      {found.warnings.map((warning) => (
        <Alert key={warning} color="yellow">
          <Ticked text={warning} />
        </Alert>
      ))}
      <Stack gap={4}>
        <Text size="sm" fw={600}>
          What led there
        </Text>
        <List type="ordered" size="sm" aria-label="Steps">
          {found.steps.map((step, index) => (
            <List.Item key={index}>
              <Ticked text={step} />
            </List.Item>
          ))}
        </List>
      </Stack>
      {found.considered.length > 0 && <Considered models={found.considered} />}
    </Stack>
  );
}

function Targets({ targets }: { targets: Explanation["targets"] }) {
  return (
    <List type="ordered" aria-label="Who answers" listStyleType="none" spacing={4}>
      {targets.map((target, index) => (
        <List.Item key={`${target.provider}/${target.model}`}>
          <Group gap="xs">
            <Text size="sm" c="dimmed">
              {index === 0 ? "First" : "Else"}
            </Text>
            <Text fw={600}>{target.model}</Text>
            <Text size="sm">{target.provider === "local" ? "on this machine" : `at ${target.provider}`}</Text>
            <Badge variant="default" tt="none">
              {target.route}
            </Badge>
            {target.context_window !== null && (
              <Text size="sm" c="dimmed">
                {target.context_window.toLocaleString("en")} tokens of context
              </Text>
            )}
            {Object.keys(target.options).length > 0 && <Code>{JSON.stringify(target.options)}</Code>}
          </Group>
        </List.Item>
      ))}
    </List>
  );
}

const AT_ONCE = 100;

function Considered({ models }: { models: Explanation["considered"] }) {
  return (
    <details>
      <summary>
        <Text span size="sm" fw={600}>
          {models.length} models were looked at, {models.filter((model) => model.fits).length} fit
        </Text>
      </summary>
      <Scrolled name="Models that were looked at">
        <Table miw="30rem">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Model</Table.Th>
              <Table.Th>At</Table.Th>
              <Table.Th>Fits</Table.Th>
              <Table.Th>Because</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {models.slice(0, AT_ONCE).map((model, index) => (
              <Table.Tr key={index}>
                <Table.Td>{model.model}</Table.Td>
                <Table.Td>{model.provider === "local" ? "this machine" : model.provider}</Table.Td>
                <Table.Td>{model.fits ? "yes" : "no"}</Table.Td>
                <Table.Td>
                  <Ticked text={model.reason} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Scrolled>
    </details>
  );
}
