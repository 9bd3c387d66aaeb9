/** From what the server has added up to what a chart draws: every step of the time, every group, gaps as nothing. */
import type { Schemas } from "../api/client";

export type Totals = Schemas["AuditTotals"];
export type Measure = (totals: Totals) => number;

export interface Series {
  name: string | null;
  total: number;
  values: number[]; // one a step
}

export interface Drawn {
  times: Date[]; // when each step begins
  series: Series[];
  highest: number; // of what stands on one another, or of one where nothing does
}

/** `stacked`: values of groups add up (tokens do, times do not). */
export function drawn(summary: Schemas["AuditSummary"], measure: Measure, { stacked }: { stacked: boolean }): Drawn {
  const step = summary.step_s * 1000;
  const first = Math.floor(Date.parse(summary.since) / step);
  const last = Math.max(first, Math.ceil(Date.parse(summary.until) / step) - 1);
  const times = Array.from({ length: last - first + 1 }, (_, index) => new Date((first + index) * step));
  const series = summary.groups.map(({ name, totals }) => ({
    name,
    total: measure(totals),
    values: new Array<number>(times.length).fill(0),
  }));
  const byName = new Map(series.map((one) => [one.name, one]));
  for (const point of summary.points) {
    const values = byName.get(point.name)?.values;
    const index = Math.floor(Date.parse(point.at) / step) - first;
    if (values !== undefined && index >= 0 && index < values.length) values[index] = measure(point.totals);
  }
  const heights = times.map((_, index) => {
    const each = series.map((one) => one.values[index] ?? 0);
    return stacked ? each.reduce((sum, value) => sum + value, 0) : Math.max(0, ...each);
  });
  return { times, series, highest: Math.max(0, ...heights) };
}

/** A round number at or above: what the axis ends with. */
export function roundUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((round) => round >= value * 0.9999) ?? 10 * power;
}
