// Draw each part of ToonHead by itself, for `python -m ganlib.data.embed_faces FOLDER` to pack:
//
//     npm install @dicebear/toon-head@9.4.3 @dicebear/core@9.4.3 @resvg/resvg-js@2.6.2
//     node render_faces.mjs FOLDER
//
// (with node_modules where Node looks: here, in a parent folder, or beside a copy of this file.)
//
// A part has colours of its own, and at most one that is chosen: skin, hair or clothes. Three opaque pictures tell them
// apart, since a pixel over a background b with a chosen colour c is (1 - alpha) b + mask c + own:
//
//     PART.VALUE.own.png     b black, c black: own
//     PART.VALUE.mask.png    b black, c white: own + mask
//     PART.VALUE.alpha.png   b white, c black: own + 1 - alpha

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Resvg } from '@resvg/resvg-js';
import { create, schema } from '@dicebear/toon-head';

const [folder] = process.argv.slice(2);
const parts = ['rearHair', 'body', 'head', 'clothes', 'mouth', 'beard', 'eyes', 'eyebrows', 'hair'];
// the drawing's frame is 0 0 768 768; the figure is narrower, and goes on below
const frame = 'viewBox="96 -16 576 864" fill="none"';
const fitTo = { mode: 'width', value: 1536 }; // 4 pixels for each of the sprites'
const first = { pick: (list) => list[0], bool: (chance) => chance > 0 };

for (const part of parts) {
  for (const value of schema.properties[part].items.enum) {
    for (const [name, colour, background] of [
      ['own', '000000', 'black'],
      ['mask', 'ffffff', 'black'],
      ['alpha', '000000', 'white'],
    ]) {
      const nothing = Object.fromEntries(parts.map((other) => [other, []]));
      const chosen = { skinColor: [colour], hairColor: [colour], clothesColor: [colour] };
      const sure = { rearHairProbability: 100, beardProbability: 100, hairProbability: 100 };
      const { body } = create({ prng: first, options: { ...nothing, ...chosen, ...sure, [part]: [value] } });
      // resvg reads mask-type as an attribute only, and would take the mouths' masks for dark ones
      const drawn = body.replaceAll('style="mask-type:alpha"', 'mask-type="alpha"');
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${frame}>${drawn}</svg>`;
      const drawing = new Resvg(svg, { background, fitTo });
      writeFileSync(join(folder, `${part}.${value}.${name}.png`), drawing.render().asPng());
    }
  }
}
