import { Stack, Title } from "@mantine/core";
import { useState } from "react";
import { useSearchParams } from "wouter";
import { Carry } from "./carry";
import { CompareDialog } from "./compare";
import { Downloads } from "./downloads";
import { Installed } from "./installed";
import { PlanDialog } from "./plan";
import { Search } from "./search";
import { Usage } from "./usage";

/** Models: those that are here, those on their way, those one could have. `?compare=` names those side by side. */
export function ModelsPage() {
  const [planned, plan] = useState<string | null>(null);
  const [address, setAddress] = useSearchParams();
  const compared = address.getAll("compare");
  const [ticked, tick] = useState<string[]>(compared);
  const compare = (names: string[]) => setAddress(names.map((name) => ["compare", name]));
  return (
    <Stack gap="xl" maw="90rem" mx="auto">
      <Title order={1}>Models</Title>
      <Downloads />
      <Installed ticked={ticked} tick={tick} compare={() => compare(ticked)} />
      <Search plan={plan} />
      <Usage />
      <Carry names={ticked} />
      {planned !== null && <PlanDialog reference={planned} close={() => plan(null)} />}
      {compared.length > 0 && <CompareDialog names={compared} close={() => compare([])} />}
    </Stack>
  );
}
