import { readFileSync } from "node:fs";
import { importOnnx } from "#lib/model/onnx/import.ts";
import { compilePlan } from "#lib/lanes/compile/compile.ts";
import { decodeTail } from "#lib/lanes/plan.ts";
const img=readFileSync("../shared/data/mnist/images.npy").subarray(-6272000);
const data=Float32Array.from({length:2000*784},(_,i)=>img[i]!/255);
for (const name of process.argv.slice(2)) { const g=importOnnx(new Uint8Array(readFileSync(`../shared/data/mnist/${name}.onnx`)));
 const t=performance.now(); try { const c=await compilePlan([g],{rows:2000,features:784,data}); console.log(name,(performance.now()-t).toFixed(0)+'ms',c.cost,c.members.map(m=>m.report),c.members[0]!.program.matrices.map(m=>[m.k,m.m]),c.members[0]!.program.steps.map(s=>s.kind==='affine'?s.groups.length:s.kind), JSON.stringify(c.plan).length, decodeTail(c.plan.members[0]!)); } catch(e) { console.log(String(e)); } }
