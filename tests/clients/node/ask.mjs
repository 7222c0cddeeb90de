// One question through a client for Node. Prints as JSON what came back: the text, the `laar` object, or an error's status.
//   node ask.mjs openai|ai whole|stream|once BASE_URL KEY MODEL QUESTION LAAR
// `once` turns the client's own retries off.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";
import OpenAI from "openai";

const [client, how, baseURL, apiKey, model, question, laarText] = process.argv.slice(2);
const laar = JSON.parse(laarText);

async function withOpenAI() {
  const retries = how === "once" ? { maxRetries: 0 } : {};
  const openai = new OpenAI({ baseURL, apiKey, ...retries });
  const messages = [{ role: "user", content: question }];
  const asked = { model, messages, temperature: 0, laar };
  if (how !== "stream") {
    const answer = await openai.chat.completions.create(asked);
    return { text: answer.choices[0].message.content, laar: answer.laar };
  }
  const told = { text: "", laar: null };
  for await (const chunk of await openai.chat.completions.create({ ...asked, stream: true })) {
    told.text += chunk.choices[0]?.delta?.content ?? "";
    told.laar = chunk.laar ?? told.laar;
  }
  return told;
}

// what the AI SDK shows as `providerMetadata`
const metadataExtractor = {
  extractMetadata: async ({ parsedBody }) => ({ laar: parsedBody.laar ?? {} }),
  createStreamExtractor: () => {
    let found = {};
    return {
      processChunk: (chunk) => {
        found = chunk?.laar ?? found;
      },
      buildMetadata: () => ({ laar: found }),
    };
  },
};

async function withAI() {
  const provider = createOpenAICompatible({ name: "laar", baseURL, apiKey, metadataExtractor });
  const asked = { model: provider(model), prompt: question, temperature: 0, providerOptions: { laar: { laar } } };
  if (how === "once") asked.maxRetries = 0;
  const answer = how === "stream" ? streamText(asked) : await generateText(asked);
  return { text: await answer.text, laar: (await answer.providerMetadata)?.laar };
}

const ask = { openai: withOpenAI, ai: withAI }[client];
try {
  console.log(JSON.stringify(await ask()));
} catch (error) {
  const last = error.lastError ?? error;
  console.log(JSON.stringify({ status: last.status ?? last.statusCode ?? null, message: String(last) }));
}
