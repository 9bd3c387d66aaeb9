/** One request: its way from who asked to what came of it. */
import { Anchor, Group, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { api, told, type Schemas } from "../api/client";
import { bytes } from "../parts/numbers";
import { Section } from "../parts/section";
import { Loaded } from "../parts/states";
import { cost, moment, took, useCallers } from "./names";
import classes from "./rows.module.css";
import { Ended } from "./status";

type Row = Schemas["AuditRow"];

export function OneRequest({ seq }: { seq: number }) {
  const callers = useCallers();
  const row = useQuery({
    queryKey: ["audit-row", seq],
    queryFn: () => told(api.GET("/admin/audit/{seq}", { params: { path: { seq } } })),
    staleTime: Infinity, // rows never change
  });
  return (
    <Stack gap="lg" maw="60rem" mx="auto">
      <Anchor component={Link} href={`/activity${location.search}`} size="sm">
        Back to all requests
      </Anchor>
      <Title order={1}>Request {seq}</Title>
      <Loaded query={row}>
        {(found) => (
          <>
            <Section name="Its way">
              <Way row={found} callers={callers} />
            </Section>
            <Section name="What it took">
              <Facts row={found} />
            </Section>
          </>
        )}
      </Loaded>
    </Stack>
  );
}

function Way({ row, callers }: { row: Row; callers: (id: string) => string }) {
  const share = row.duration_us > 0 && row.first_token_us !== null ? Math.min(1, row.first_token_us / row.duration_us) : null;
  const writing = row.first_token_us === null ? 0 : (row.duration_us - row.first_token_us) / 1e6;
  return (
    <Stack gap="sm" style={{ overflowWrap: "anywhere" }}>
      <Group gap="xs">
        <Ended row={row} />
        <Text size="sm">after {took(row.duration_us)}</Text>
      </Group>
      {share !== null && (
        <div className={classes.way} role="img" aria-label={`First token after ${took(row.first_token_us)} of ${took(row.duration_us)}`}>
          <div className={classes.reading} style={{ width: `${share * 100}%` }} />
          <div className={classes.writing} />
        </div>
      )}
      <Stack component="ol" gap="xs" my={0} pl="lg">
        <Step name={moment(row.at)}>
          {callers(row.caller)} asked {row.method} {row.endpoint}
          {row.asked_model && <> for the model {row.asked_model}</>} ({bytes(row.bytes_in)}).
        </Step>
        {row.model !== "" && (
          <Step name="Route">
            {row.rule ? `The rule “${row.rule}”` : row.route ? `The route “${row.route}”` : "No route"} led to {row.model} at{" "}
            {row.provider || "nobody"}.
          </Step>
        )}
        {row.attempts > 1 && (
          <Step name={`${row.attempts} attempts`}>
            {row.attempts - 1} of them failed before a word had come; the last one {row.model ? "answered" : "failed, too"}.
          </Step>
        )}
        {row.first_token_us !== null && <Step name={`After ${took(row.first_token_us)}`}>The first token left for the client.</Step>}
        <Step name={`After ${took(row.duration_us)}`}>
          {row.error_code ? `It failed: ${row.error_code}. ` : row.status === 499 ? "The client left. " : "It was answered. "}
          {row.completion_tokens > 0 && `${row.completion_tokens} tokens were written`}
          {row.completion_tokens > 1 && writing > 0 && `, ${(row.completion_tokens / writing).toFixed(1)} a second`}
          {row.completion_tokens > 0 && "."} {bytes(row.bytes_out)} were sent.
        </Step>
      </Stack>
    </Stack>
  );
}

function Step({ name, children }: { name: string; children: ReactNode }) {
  return (
    <Text component="li" size="sm">
      <b>{name}</b>: {children}
    </Text>
  );
}

function Facts({ row }: { row: Row }) {
  const facts: [string, string | number][] = [
    ["Tokens read", row.prompt_tokens],
    ["… of them in the cache", row.cached_tokens],
    ["Tokens written", row.completion_tokens],
    ["Cost", row.cost_nanos === null ? "no price is set" : cost(row.cost_nanos)],
    ["First token", took(row.first_token_us)],
    ["In all", took(row.duration_us)],
    ["Attempts", row.attempts],
    ["In the words of", row.dialect],
    ["Prompt", row.prompt === null ? "not kept" : "kept, sealed"],
    ["Request id", row.request_id],
    ["Hash of the row", row.hash ?? ""],
  ];
  return (
    <Table fz="sm" className={classes.facts}>
      <Table.Tbody>
        {facts.map(([name, value]) => (
          <Table.Tr key={name}>
            <Table.Th scope="row">{name}</Table.Th>
            <Table.Td>{value}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
