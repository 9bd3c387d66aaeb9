/** One measure over time, drawn by hand; the same as a table for whoever would rather read, or cannot see it. */
import { Group, Paper, Stack, Table, Text, Title } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useState } from "react";
import { Scrolled } from "../parts/scrolled";
import classes from "./chart.module.css";
import { roundUp, type Drawn } from "./series";

const HEIGHT = 150;
const LEFT = 52;
const BELOW = 18;
const COLOURS = 7;

interface Props {
  name: string;
  about: string; // what it comes to, in words
  data: Drawn;
  step_s: number;
  label: (name: string | null) => string;
  written: (value: number) => string;
  kind: "bars" | "lines";
}

export function Chart({ name, about, data, step_s, label, written, kind }: Props) {
  const { ref, width } = useElementSize();
  const [open, setOpen] = useState(false);
  const nothing = data.highest === 0;
  return (
    <Paper withBorder p="sm" component="section" aria-label={name}>
      <Stack gap="xs">
        <Group justify="space-between" gap="xs" align="baseline">
          <Title order={3} size="h5">
            {name}
          </Title>
          <Text size="sm" c="dimmed">
            {about}
          </Text>
        </Group>
        <div ref={ref} className={classes.plot}>
          {width > LEFT && (
            <svg width={width} height={HEIGHT + BELOW} role="img" aria-label={`${name} over time: ${about}`}>
              <Axes data={data} width={width} step_s={step_s} written={written} />
              {kind === "bars" ? <Bars data={data} width={width} label={label} written={written} step_s={step_s} /> : null}
              {kind === "lines" ? <Lines data={data} width={width} label={label} written={written} step_s={step_s} /> : null}
            </svg>
          )}
        </div>
        {nothing ? (
          <Text size="sm" c="dimmed">
            Nothing in this time.
          </Text>
        ) : (
          <>
            <Group gap="sm" component="ul" p={0} m={0} style={{ listStyle: "none" }} aria-label="Legend">
              {data.series.map((series, index) =>
                series.total === 0 ? null : (
                  <Group key={series.name ?? "\0"} component="li" gap={6} wrap="nowrap" miw={0}>
                    <span className={`${classes.swatch} ${classes[colour(index, series.name)]}`} aria-hidden />
                    <Text size="xs" style={{ overflowWrap: "anywhere" }} lineClamp={2}>
                      {label(series.name)}: {written(series.total)}
                    </Text>
                  </Group>
                ),
              )}
            </Group>
            <details className={classes.table} onToggle={(event) => setOpen(event.currentTarget.open)}>
              <summary>As a table</summary>
              {open && <AsTable name={name} data={data} step_s={step_s} label={label} written={written} />}
            </details>
          </>
        )}
      </Stack>
    </Paper>
  );
}

interface Part {
  data: Drawn;
  width: number;
  step_s: number;
  label: (name: string | null) => string;
  written: (value: number) => string;
}

function Axes({ data, width, step_s, written }: Omit<Part, "label">) {
  const top = roundUp(data.highest);
  const marks = Math.max(1, Math.min(5, Math.floor((width - LEFT) / 110), data.times.length));
  return (
    <g aria-hidden>
      {[0, 0.5, 1].map((share) => (
        <g key={share}>
          <line className={classes.axis} x1={LEFT} x2={width} y1={y(share)} y2={y(share)} />
          <text className={classes.words} x={LEFT - 6} y={y(share) + 4} textAnchor="end">
            {data.highest === 0 && share > 0 ? "" : written(top * share)}
          </text>
        </g>
      ))}
      {Array.from({ length: marks }, (_, mark) => {
        const index = Math.floor((mark * data.times.length) / marks);
        return (
          <text key={mark} className={classes.words} x={x(index, data, width)} y={HEIGHT + BELOW - 2}>
            {begins(data.times[index], step_s)}
          </text>
        );
      })}
    </g>
  );
}

function Bars({ data, width, label, written, step_s }: Part) {
  const top = roundUp(data.highest);
  const wide = Math.max(1, (width - LEFT) / data.times.length - 1);
  return (
    <g>
      {data.times.map((time, index) => {
        let under = 0;
        return data.series.map((series, place) => {
          const value = series.values[index] ?? 0;
          if (value === 0) return null;
          const from = under / top;
          under += value;
          return (
            <rect
              key={`${index} ${place}`}
              className={`${classes.bar} ${classes[colour(place, series.name)]}`}
              x={x(index, data, width)}
              width={wide}
              y={y(under / top)}
              height={Math.max(1, y(from) - y(under / top))}
            >
              <title>{`${begins(time, step_s)}, ${label(series.name)}: ${written(value)}`}</title>
            </rect>
          );
        });
      })}
    </g>
  );
}

/** A line a group; where nothing was measured it is broken. A dot stands alone. */
function Lines({ data, width, label, written, step_s }: Part) {
  const top = roundUp(data.highest);
  const half = (width - LEFT) / data.times.length / 2;
  return (
    <g>
      {data.series.map((series, place) => {
        const points = series.values.map((value, index) => ({ value, at: x(index, data, width) + half, up: y(value / top) }));
        const path = points
          .map(({ value, at, up }, index) => (value ? `${points[index - 1]?.value ? "L" : "M"}${at.toFixed(1)} ${up.toFixed(1)}` : ""))
          .join("");
        return (
          <g key={series.name ?? "\0"}>
            <path className={`${classes.line} ${classes[colour(place, series.name)]}`} d={path} />
            {points.map(({ value, at, up }, index) =>
              value ? (
                <circle key={index} className={classes[colour(place, series.name)]} cx={at} cy={up} r={2}>
                  <title>{`${begins(data.times[index], step_s)}, ${label(series.name)}: ${written(value)}`}</title>
                </circle>
              ) : null,
            )}
          </g>
        );
      })}
    </g>
  );
}

function AsTable({ name, data, step_s, label, written }: Omit<Part, "width"> & { name: string }) {
  const rows = data.times.flatMap((time, index) =>
    data.series.some((series) => series.values[index]) ? [{ time, index }] : [],
  );
  return (
    <Scrolled name={`${name} as a table`}>
      <Table fz="xs" verticalSpacing={2}>
        <Table.Caption>{name}</Table.Caption>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">From</Table.Th>
            {data.series.map((series) => (
              <Table.Th key={series.name ?? "\0"} scope="col">
                {label(series.name)}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(({ time, index }) => (
            <Table.Tr key={index}>
              <Table.Th scope="row">{time.toLocaleString()}</Table.Th>
              {data.series.map((series) => (
                <Table.Td key={series.name ?? "\0"}>{series.values[index] ? written(series.values[index]) : "–"}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Text size="xs">{stepName(step_s)} a row; rows without anything are left out.</Text>
    </Scrolled>
  );
}

const x = (index: number, data: Drawn, width: number) => LEFT + (index * (width - LEFT)) / data.times.length;
const y = (share: number) => 6 + (1 - share) * (HEIGHT - 12);

function colour(index: number, name: string | null): string {
  return `c${name === null ? COLOURS - 1 : index % (COLOURS - 1)}`;
}

function begins(time: Date | undefined, step_s: number): string {
  if (time === undefined) return "";
  if (step_s >= 86400) return time.toLocaleDateString(undefined, { month: "short", day: "numeric" });
  const clock = time.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  return step_s >= 3 * 3600 ? `${time.toLocaleDateString(undefined, { month: "short", day: "numeric" })} ${clock}` : clock;
}

function stepName(step_s: number): string {
  if (step_s < 3600) return `${step_s / 60} minutes`;
  return step_s < 86400 ? `${step_s / 3600} hours` : `${step_s / 86400} days`;
}
