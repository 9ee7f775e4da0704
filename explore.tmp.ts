import { readFileSync } from "node:fs";
import { importOnnx } from "#lib/model/onnx/import.ts";
import { normalize } from "#lib/lanes/compile/normal-form.ts";
import { MemberModel } from "#lib/lanes/compile/member.ts";
import { searchParameters } from "#lib/lanes/compile/search.ts";
const t=()=>performance.now(); let t0=t(); const lap=(s:string)=>{console.log(s,(t()-t0).toFixed(0)+'ms'); t0=t();};
const g=importOnnx(new Uint8Array(readFileSync(`../shared/data/mnist/${process.argv[2]??'mnist-cryptonets'}.onnx`)));
for(const n of g.nodes) console.log(n.op,n.name,n.output);
const img=readFileSync("../shared/data/mnist/images.npy").subarray(-6272000);
const cols=(a:number,n:number)=>Array.from({length:784},(_,f)=>Float64Array.from({length:n},(_,r)=>img[(a+r)*784+f]!/255));
const R=512;
lap('load'); const fit={columns:cols(0,R),count:R};
const nz=normalize(g,fit); lap('normalize');
console.log(nz.normal.layers.map(l=>[l.forms.rows,l.carried]),nz.normal.final.rows,nz.tail.nodes.length,nz.fitted);
const tr={center:new Float64Array(784).fill(.5),factor:new Float64Array(784).fill(2)};
const X=(c:Float64Array[])=>c.map(x=>x.map(v=>(v-.5)*2));
const m=new MemberModel(nz,tr,{columns:X(fit.columns),count:R},{columns:X(cols(R,1024)),count:1024}); lap('member');
for(const l of m.layers) console.log(l.blocks.blocks.length,l.blocks.matrices.map(x=>[x.k,x.m].join('x')).join(' '),l.largestWeight);
let s=1; const random=()=>{s=(s*1103515245+12345)%2147483648; return s/2147483648;};

import { slotNoise } from "#lib/lanes/compile/rings.ts";
import { compareOutputs } from "#lib/lanes/compile/fidelity.ts";
const mod:any=await import("#lib/lanes/compile/search.ts");
const T=new mod.Tuner(m,{aim:.999,margin:1.5,degrees:[8192],records:undefined,random});
const mm=m as any;
for(const n of [4096,8192]) for(const bits of [90,93,96,100,104,108,112]) { const sc=T.allocate(slotNoise(n),bits,1); const q=m.quantize(sc.weights,[1,1,1]); let act=0; const D=6; for(let d=0;d<D;d++){const o=mm.simulate(q,sc.weights,slotNoise(n)/sc.encode,random); act+=compareOutputs(nz.tail,mm.realAnswers,mm.answers(o),1024).sameAnswers/D;} const f=m.simulatedFidelity(q,sc,slotNoise(n),random); console.log(n,bits,'actual',act.toFixed(5),'est',f.sameAnswers.toFixed(5),'rms',f.rmsError.toFixed(3)); }
