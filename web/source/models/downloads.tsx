/** Pulls that are under way or wait to go on. */
import { Button, Group, Paper, Progress, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, told, type Schemas } from "../api/client";
import { bytes, seconds } from "../parts/numbers";
import { Section } from "../parts/section";
import { Failed, Loaded } from "../parts/states";
import { usePulls } from "./library";
import { useProgress } from "./progress";

type Pull = Schemas["PullJob"];

export function Downloads() {
  const pulls = usePulls();
  return (
    <Loaded query={pulls}>
      {(all) =>
        all.length > 0 && (
          <Section name="Downloads">
            {all.map((pull) => (
              <Download key={pull.id} pull={pull} />
            ))}
          </Section>
        )
      }
    </Loaded>
  );
}

function Download({ pull }: { pull: Pull }) {
  const queries = useQueryClient();
  const moving = ["queued", "downloading", "verifying"].includes(pull.status);
  const progress = useProgress(pull.id, moving);
  const path = { params: { path: { id: pull.id } } };
  const change = useMutation({
    mutationFn: (what: "pause" | "resume" | "cancel") =>
      what === "pause"
        ? told(api.POST("/admin/pulls/pause/{id}", path))
        : what === "resume"
          ? told(api.POST("/admin/pulls/resume/{id}", path))
          : told(api.POST("/admin/pulls/cancel/{id}", path)),
    onSettled: () => queries.invalidateQueries({ queryKey: ["pulls"] }),
  });
  const done = progress?.downloaded_bytes ?? pull.downloaded_bytes;
  const total = progress?.total_bytes ?? pull.total_bytes;
  const share = total > 0 ? (100 * done) / total : 0;
  const words = [progress?.status ?? pull.status, `${bytes(done)} of ${bytes(total)}`];
  if (moving && progress) {
    words.push(`${bytes(progress.download_speed)}/s`);
    if (progress.eta_seconds !== null) words.push(`${seconds(progress.eta_seconds)} left`);
  }
  return (
    <Paper withBorder p="sm" component="article" aria-label={pull.name}>
      <Stack gap="xs">
        <Group justify="space-between" gap="xs">
          <Text fw={600} flex="1 1 12rem" miw={0} style={{ overflowWrap: "anywhere" }}>
            {pull.name}
          </Text>
          <Group gap="xs">
            <Button size="xs" variant="default" onClick={() => change.mutate(moving ? "pause" : "resume")}>
              {moving ? "Pause" : "Resume"}
            </Button>
            <Button size="xs" variant="default" onClick={() => change.mutate("cancel")}>
              Cancel
            </Button>
          </Group>
        </Group>
        <Progress value={share} aria-label={`Progress of ${pull.name}`} />
        <Text size="sm" c="dimmed">
          {words.join(" · ")}
        </Text>
        {pull.error && (
          <Text size="sm" style={{ overflowWrap: "anywhere" }}>
            {pull.error}
          </Text>
        )}
        {change.isError && <Failed error={change.error} />}
      </Stack>
    </Paper>
  );
}
