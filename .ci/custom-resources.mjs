// Checks custom resources by the schemas of @kubernetes-models: `node custom-resources.mjs FOLDER FILE`, the folder with
// node_modules, the file with a JSON list of objects. Its validators let unknown fields pass, so TypeScript, which does
// not let them stand in a literal, looks at each as well.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const PACKAGES = { "keda.sh": "keda", "monitoring.coreos.com": "prometheus-operator" };
const [folder, file] = process.argv.slice(2);
const lines = [];

for (const [number, object] of JSON.parse(readFileSync(file)).entries()) {
  const { kind, apiVersion, metadata } = object;
  const models = `@kubernetes-models/${PACKAGES[apiVersion.split("/")[0]]}`;
  const module = await import(join(folder, "node_modules", models, apiVersion, `${kind}.js`));
  new module[kind](object).validate(); // throws what is missing or of a wrong type
  lines.push(
    `import type { I${kind} as K${number} } from "${models}/${apiVersion}/${kind}";`,
    `export const object${number}: K${number} = ${JSON.stringify(object, null, 1)};`,
  );
  console.log(`${kind} ${metadata.name}`);
}

writeFileSync(join(folder, "objects.ts"), lines.join("\n"));
const options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext"];
try {
  execFileSync(join(folder, "node_modules", ".bin", "tsc"), [...options, join(folder, "objects.ts")]);
} catch (failed) {
  console.error(failed.stdout.toString());
  process.exit(1);
}
