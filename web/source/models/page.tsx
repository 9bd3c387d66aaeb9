import { Stack, Title } from "@mantine/core";
import { useState } from "react";
import { Downloads } from "./downloads";
import { Installed } from "./installed";
import { PlanDialog } from "./plan";
import { Search } from "./search";
import { Usage } from "./usage";

/** Models: those that are here, those on their way, those one could have. */
export function ModelsPage() {
  const [planned, plan] = useState<string | null>(null);
  return (
    <Stack gap="xl" maw="90rem" mx="auto">
      <Title order={1}>Models</Title>
      <Downloads />
      <Installed />
      <Search plan={plan} />
      <Usage />
      {planned !== null && <PlanDialog reference={planned} close={() => plan(null)} />}
    </Stack>
  );
}
