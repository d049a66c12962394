-- Makes one document of the executed notebooks: parts, sections with a way back to the contents, links that stay inside.
local html = FORMAT:match("html") ~= nil
local base = html and 1 or 0 -- the page's h1 is its title
local ids = { toc = "TOC" } -- every heading, as a link names it and as it is called here

-- Jupyter writes links to headings with capitals and punctuation, which pandoc's names do not have.
local function plain(target)
  return (target:lower():gsub("[^%w_%-]", ""))
end

local shape = {
  Link = function(link)
    if link.target:match("^https?:") then return nil end
    local known = ids[plain(link.target)] or ids[plain(link.target):match("^43%d%d")]
    if not known then return link.content end -- a file of the repository is no part of the page: only its words stay
    link.target = "#" .. known
    return link
  end,
  Table = function(content)
    return html and pandoc.Div(content, pandoc.Attr("", { "scroll" })) or content
  end,
  Math = function(math)
    if not html then return nil end
    -- Browsers set the name of a function without the space before its argument that TeX gives it.
    for _, name in ipairs({ "\\log", "\\exp", "\\sin", "\\cos" }) do
      math.text = math.text:gsub(name .. "%s*(\\?%w)", name .. "\\,%1"):gsub(name .. "\\,\\left", name .. "\\left")
    end
    -- pandoc would make bold letters italic, too, and a word single letters.
    math.text = math.text:gsub("\\mathbf(%b{})", "\\textbf%1"):gsub("\\mathrm{(%a%a+)}", "\\text{%1}")
    return math.mathtype == "DisplayMath" and pandoc.Span(math, pandoc.Attr("", { "scroll" })) or math
  end,
  -- What can be folded on a page stands open in print, under its head line.
  Blocks = function(blocks)
    for i = 2, html and 0 or #blocks do
      if blocks[i - 1].t == "RawBlock" and blocks[i - 1].text == "<summary>" then
        blocks[i] = pandoc.Para(pandoc.Strong(blocks[i].content))
      end
    end
    return blocks
  end,
}

local function cell(div)
  if div.classes:includes("markdown") then return div.content end
  local code = pandoc.Div(div.content, pandoc.Attr("", { "cell" }))
  return { code:walk({
    CodeBlock = function(block)
      if not block.classes:includes("python") then return pandoc.CodeBlock(block.text, pandoc.Attr("", { "output" })) end
    end,
  }) }
end

function Pandoc(doc)
  local blocks, part, section = pandoc.Blocks({}), 0, ""
  local function back()
    local link, last = pandoc.Link("Back to the contents", "#TOC"), blocks[#blocks]
    if html or last.t ~= "Para" then
      blocks:insert(pandoc.Div(pandoc.Plain(link), pandoc.Attr("", { "back" })))
    else -- in print it takes no line, and so no page, of its own
      last.content:extend({ pandoc.Str(" · "), link })
    end
  end
  for _, source in ipairs(doc.blocks) do
    for _, block in ipairs(cell(source)) do
      if block.t == "Header" then
        local old = block.identifier
        if block.level == 1 then
          if section ~= "" then back() end
          section = string.format("4.3.%02d", pandoc.utils.stringify(block):match("^4%.3%.(%d+)"))
          ids[plain(section)], block.identifier = section, section
          local opened = doc.meta.parts[section]
          if opened then
            part = part + 1
            blocks:insert(pandoc.Header(1 + base, opened.title, pandoc.Attr("part-" .. part)))
            blocks:extend(opened.text)
          end
        else
          block.identifier = section .. "-" .. old:gsub("^.-__", "")
        end
        ids[plain(old)] = block.identifier
        block.level = block.level + 1 + base
      end
      blocks:insert(block)
    end
  end
  back()
  doc.blocks = blocks:walk(shape)
  return doc
end
