import { Button, CopyButton } from "@mantine/core";

/** Puts `text` on the clipboard and says that it did. */
export function Copy({ text, label, className }: { text: string; label: string; className?: string }) {
  return (
    <CopyButton value={text}>
      {({ copied, copy }) => (
        <Button size="compact-xs" variant="default" onClick={copy} aria-label={label} className={className}>
          {copied ? "Copied" : "Copy"}
        </Button>
      )}
    </CopyButton>
  );
}
