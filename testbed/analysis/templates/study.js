// Draws the charts of a study, one after the other. After charts.js.
async function drawAll() {
  for (const [id, spec] of Object.entries(data.charts)) await draw(id, spec);
}

drawAll().then(() => (document.documentElement.dataset.ready = "yes"));
