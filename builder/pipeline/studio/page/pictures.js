/** Pictures of the session, asked for with its token and kept as long as the page is open. */

const kept = new Map();

/** An address that an <img> takes. */
export async function addressOf(key, token) {
  if (!kept.has(key)) {
    kept.set(key, fetch(`api/picture/${key}`, { headers: { "X-Studio-Token": token } }).then(async (answer) => {
      if (!answer.ok) throw new Error("a picture is gone; load the page again.");
      return URL.createObjectURL(await answer.blob());
    }));
  }
  return kept.get(key);
}

/** One figure: a picture or its difference, with what it is. */
export function figure(picture, about, enlarge, token) {
  const made = document.createElement("figure");
  const image = document.createElement("img");
  const difference = enlarge && picture.difference;
  image.alt = difference ? `${picture.title}: difference, times ${picture.times}` : picture.title;
  void addressOf(difference || picture.picture, token).then((address) => (image.src = address), () => image.replaceWith("no picture"));
  const caption = document.createElement("figcaption");
  caption.append(Object.assign(document.createElement("b"), { textContent: picture.title }), about);
  if (difference) caption.append(`, difference times ${picture.times}`);
  made.append(image, caption);
  return made;
}
