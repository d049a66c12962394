-- Makes one document of the executed notebooks: parts, sections with a way back to the contents, links that stay inside.
local html = FORMAT:match("html") ~= nil
local base = html and 1 or 0 -- the page's h1 is its title
local ids = { toc = "TOC" } -- every heading, as a link names it and as it is called here
local part = 0

local function is(block, class)
  return block and block.t == "Div" and block.classes:includes(class)
end

-- Jupyter writes links to headings with capitals and punctuation, which pandoc's names do not have.
local function plain(target)
  return (target:lower():gsub("[^%w_%-]", ""))
end

local function link(element)
  local target = element.target
  if target:match("^https?:") then return nil end
  local file, number = target:match("^#(.-ipynb)"), target:match("^(4%.3%.%d%d)_")
  local known = ids[plain(target)] or (file and ids[file]) or (number and ids[number])
  if not known then return element.content end -- a file of the repository is no part of the page: only its words stay
  element.target = "#" .. known
  return element
end

local function scroll(content)
  return html and pandoc.Div(content, pandoc.Attr("", { "scroll" })) or content
end

local function bold(letter)
  local first = letter:match("%l") and { 0x1D41A, 97 } or letter:match("%u") and { 0x1D400, 65 } or { 0x1D7CE, 48 }
  return utf8.char(first[1] + letter:byte() - first[2])
end

local shape = {
  Link = link,
  Table = function(table_)
    for _, column in ipairs(table_.colspecs) do
      if column[1] == "AlignDefault" then column[1] = "AlignLeft" end
    end
    return scroll(table_)
  end,
  Math = function(math)
    -- Browsers set the name of a function without the space before its argument that TeX gives it.
    for _, name in ipairs(html and { "log", "exp", "sin", "cos" } or {}) do
      math.text = math.text:gsub("\\" .. name .. "%s*(\\?%w%a*)", function(after)
        local bracket = after:match("^\\[lbB][ei][fg]") -- \left, \big, \Big
        return "\\" .. name .. (bracket and "" or "\\,") .. after
      end)
    end
    -- pandoc would make bold letters italic, too, and a word single letters.
    if html then math.text = math.text:gsub("\\mathbf{([%a%d])}", function(l) return " " .. bold(l) end):gsub("\\mathrm{(%a%a+)}", "\\text{%1}") end
    return html and math.mathtype == "DisplayMath" and pandoc.Span(math, pandoc.Attr("", { "scroll" })) or math
  end,
}

-- The head line of a folded answer; what can be folded on a page stands open in print.
local function unfold(blocks)
  for i = 2, #blocks do
    local before = blocks[i - 1]
    if before.t == "RawBlock" and before.text == "<summary>" and blocks[i].t == "Plain" then
      blocks[i] = pandoc.Para(pandoc.Strong(blocks[i].content))
    end
  end
  return blocks
end

local function cell(block)
  if is(block, "markdown") then return html and block.content or unfold(block.content) end
  local inner = block.content:map(function(b)
    if not is(b, "output") then return b end
    return b:walk({
      CodeBlock = function(code) return pandoc.CodeBlock(code.text, pandoc.Attr("", { "output" })) end,
    })
  end)
  return pandoc.Blocks({ pandoc.Div(inner, pandoc.Attr("", { "cell" })) })
end

function Pandoc(doc)
  local blocks, parts, section = pandoc.Blocks({}), doc.meta.parts or {}, ""
  local function back()
    local link, last = pandoc.Link("Back to the contents", "#TOC"), blocks[#blocks]
    if html or last.t ~= "Para" then
      blocks:insert(pandoc.Div(pandoc.Plain(link), pandoc.Attr("", { "back" })))
    else -- in print it takes no line, and so no page, of its own
      blocks[#blocks] = pandoc.Para(last.content .. { pandoc.Str(" · "), link })
    end
  end
  for _, source in ipairs(doc.blocks) do
    local file = source.identifier:match("^(.-ipynb)__") or ""
    for _, block in ipairs(is(source, "cell") and cell(source) or { source }) do
      if block.t == "Header" then
        local old, number = block.identifier, pandoc.utils.stringify(block):match("^4%.3%.(%d+)")
        if block.level == 1 and number then
          section = string.format("4.3.%02d", tonumber(number))
          block.identifier = section
          ids[file], ids[block.identifier] = block.identifier, block.identifier
          if #blocks > 0 then back() end
          local next_ = parts[part + 1]
          if next_ and pandoc.utils.stringify(next_.first) == block.identifier then
            part = part + 1
            blocks:insert(pandoc.Header(1 + base, next_.title, pandoc.Attr("part-" .. part)))
            blocks:extend(next_.text)
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
