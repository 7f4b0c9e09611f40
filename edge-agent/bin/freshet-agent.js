#!/usr/bin/env node
// Plain JavaScript, so that a Node too old to run the TypeScript sources can still say so.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `freshet-agent: needs Node 22.18 or newer, this is ${process.version}. In a clone, \`npx freshet-agent\` finds the right one.`,
  );
  process.exit(2);
}
const { main } = await import('../cli/main.ts');
await main(process.argv);
