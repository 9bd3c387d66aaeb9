import { Badge } from "@mantine/core";
import type { Schemas } from "../api/client";

/** How a request ended: its status, and in words what went wrong. Never by colour alone. */
export function Ended({ row }: { row: Pick<Schemas["AuditRow"], "status" | "error_code"> }) {
  const failed = row.status >= 400 || row.error_code !== "";
  return (
    <Badge variant={failed ? "filled" : "default"} color={failed ? "red.9" : undefined} tt="none" style={{ maxWidth: "none" }}>
      {row.error_code ? `${row.status} ${row.error_code}` : row.status === 499 ? "499 left" : row.status}
    </Badge>
  );
}
