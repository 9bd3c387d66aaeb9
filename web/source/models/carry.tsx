/** Models to another machine and from it, in a folder of the server's machine. */
import { Alert, Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, told } from "../api/client";
import { bytes } from "../parts/numbers";
import { Section } from "../parts/section";
import { Failed } from "../parts/states";
import { DISK } from "./library";

type What = "export" | "import";

/** `names` are the models that were ticked; none is all that were fetched. */
export function Carry({ names }: { names: string[] }) {
  const queries = useQueryClient();
  const [folder, setFolder] = useState("");
  const carried = useMutation({
    mutationFn: ({ what, dry_run }: { what: What; dry_run: boolean }) => {
      const body = { folder: folder.trim(), names: what === "export" ? names : [], dry_run };
      return what === "export"
        ? told(api.POST("/admin/library/export", { body }))
        : told(api.POST("/admin/library/import", { body }));
    },
    onSuccess: () => Promise.all(DISK.map((queryKey) => queries.invalidateQueries({ queryKey }))),
  });
  const asked = carried.variables;
  const looked = carried.data?.dry_run && asked ? asked.what : null;
  const start = (what: What) => carried.mutate({ what, dry_run: looked !== what });
  const none = folder.trim() === "" || carried.isPending;
  return (
    <Section name="Carry along">
      <Text size="sm">
        Models go into a folder of the server's machine, such as a disk that is carried on, and come out of it elsewhere; every byte
        is checked. {names.length > 0 ? `To be exported: ${names.join(", ")}.` : "Tick models above to export only those."}
      </Text>
      <Stack gap="xs">
        <Group align="flex-end" gap="xs">
          <TextInput
            flex="1 1 14rem"
            maw="40rem"
            label="Folder"
            placeholder="/media/disk/models"
            maxLength={4096}
            value={folder}
            onChange={(event) => {
              setFolder(event.currentTarget.value);
              carried.reset();
            }}
          />
          <Button variant="default" disabled={none} onClick={() => start("export")}>
            {looked === "export" ? "Export now" : "Export"}
          </Button>
          <Button variant="default" disabled={none} onClick={() => start("import")}>
            {looked === "import" ? "Import now" : "Import"}
          </Button>
        </Group>
        {carried.isError && <Failed error={carried.error} />}
        {carried.isPending && asked && <Text role="status">{asked.dry_run ? "Looking…" : "Copying, every byte checked…"}</Text>}
        {carried.data && asked && (
          <Alert color="gray" role="status" title={title(asked.what, carried.data)} style={{ overflowWrap: "anywhere" }}>
            {carried.data.models.join(", ")}
          </Alert>
        )}
      </Stack>
    </Section>
  );
}

function title(what: What, { models, total_bytes, dry_run }: { models: string[]; total_bytes: number | null; dry_run: boolean }) {
  const counted = `${models.length} ${models.length === 1 ? "model" : "models"}`;
  const size = total_bytes === null ? "" : `, ${bytes(total_bytes)}`;
  if (dry_run) return `${counted}${size} would be ${what === "export" ? "written" : "taken in"}. Press again to do it.`;
  return `${counted}${size} ${what === "export" ? "written" : "taken in"}.`;
}
