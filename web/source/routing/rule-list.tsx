/** The rules in the order in which they are asked, and ways to put them into another. */
import { Button, Group, Stack, Text, TextInput, VisuallyHidden } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { api, told } from "../api/client";
import { ConfirmRemoval } from "../parts/confirm";
import { Section } from "../parts/section";
import { Empty, Failed, Loaded } from "../parts/states";
import { Carry } from "./carry";
import { useDragging } from "./dragging";
import { RuleRow } from "./rule-row";
import classes from "./rules.module.css";
import { ledTo, moved, RULES, useRules, useRulesChange, type Rule } from "./rules";

const AT_ONCE = 50;

export function RuleList() {
  const rules = useRules();
  return (
    <Section name="Rules">
      <Text size="sm">
        The first rule that fits a name decides where it goes. A name that fits none is a model here, or at a provider.
      </Text>
      <Group gap="xs">
        <Button component={Link} href="/routing/new" size="xs">
          New rule
        </Button>
        <Carry />
      </Group>
      <Loaded query={rules}>
        {(all) => (all.length === 0 ? <Empty>No rules yet. Names of models lead to the models themselves.</Empty> : <Rows rules={all} />)}
      </Loaded>
    </Section>
  );
}

function Rows({ rules }: { rules: Rule[] }) {
  const [words, setWords] = useState("");
  const [most, setMost] = useState(AT_ONCE);
  const [removing, setRemoving] = useState<Rule | null>(null);
  const [said, say] = useState("");
  const change = useRulesChange();
  const { list, dragged, handle } = useDragging(move);

  const sought = words.trim().toLowerCase();
  const found = sought === "" ? rules : rules.filter((rule) => searched(rule).includes(sought));
  const shown = found.slice(0, most);
  const orderable = sought === "" && rules.length > 1;

  function move(from: number, to: number) {
    const done = moved(rules, from, to);
    if (done.changed.length === 0) return;
    say(`${rules[from]?.name} is now ${to + 1} of ${rules.length}.`);
    change.mutate(done);
  }

  function turn(rule: Rule, enabled: boolean) {
    const turned = { ...rule, enabled };
    change.mutate({ changed: [turned], shown: rules.map((each) => (each.name === rule.name ? turned : each)) });
  }

  function mark(index: number) {
    if (dragged === null || dragged.from === dragged.to) return dragged?.from === index ? "lifted" : null;
    if (index === dragged.from) return "lifted";
    if (index === dragged.to) return dragged.to < dragged.from ? "before" : "after";
    return null;
  }

  return (
    <Stack gap="sm">
      {rules.length > 10 && (
        <TextInput label="Find a rule" maw="24rem" value={words} onChange={(event) => setWords(event.currentTarget.value)} />
      )}
      {change.isError && <Failed error={change.error} />}
      <VisuallyHidden role="status">{said}</VisuallyHidden>
      {found.length === 0 && <Empty>No rule has these words.</Empty>}
      <ol className={classes.list} ref={list} aria-label="Rules in order">
        {shown.map((rule, index) => (
          <RuleRow
            key={rule.name}
            rule={rule}
            place={orderable ? { index, count: rules.length } : null}
            mark={mark(index)}
            handle={handle(index, rules.length)}
            move={(to) => move(index, to)}
            turn={(enabled) => turn(rule, enabled)}
            remove={() => setRemoving(rule)}
          />
        ))}
      </ol>
      {found.length > shown.length && (
        <Button variant="default" onClick={() => setMost(most + AT_ONCE)}>
          {found.length - shown.length} more
        </Button>
      )}
      {removing && <Remove rule={removing} close={() => setRemoving(null)} />}
    </Stack>
  );
}

function Remove({ rule, close }: { rule: Rule; close: () => void }) {
  const queries = useQueryClient();
  async function remove() {
    await told(api.DELETE("/admin/routes/{name}", { params: { path: { name: rule.name } } }));
    await queries.invalidateQueries({ queryKey: RULES });
  }
  return (
    <ConfirmRemoval title={`Remove the rule ${rule.name}?`} remove={remove} close={close}>
      <Text>
        Names that fit {rule.pattern} no longer go to {rule.targets.map(ledTo).join(", else to ")}.
      </Text>
    </ConfirmRemoval>
  );
}

function searched(rule: Rule): string {
  return [rule.name, rule.pattern, rule.description, ...rule.targets.map(ledTo)].join(" ").toLowerCase();
}
